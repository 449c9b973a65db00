// The programs the tests need beside Node, and the Debian packages that bring them.
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

const needed = [
  { tool: "git", package: "git", for: "deploys" },
  { tool: "ssh", package: "openssh-client", for: "server ssh" },
  { tool: "sshd", package: "openssh-server", for: "everything over SSH" },
  { tool: "nginx", package: "nginx-light", for: "scans of its sites" },
  { tool: "caddy", package: "caddy", for: "scans of its sites" },
  { tool: "openssl", package: "openssl", for: "checks of routes" },
  { tool: "busybox", package: "busybox", for: "hosts that have nothing else" },
  { tool: "strace", package: "strace", for: "kills at system calls" },
  { tool: "pgrep", package: "procps", for: "processes that must be gone" },
]

const find = (tool) =>
  [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"].some((directory) =>
    existsSync(join(directory, tool)),
  )

/** Installs what is missing where that may be done without asking: as root on Debian. Says what is missing still. */
export const provideTools = () => {
  const missing = needed.filter(({ tool }) => !find(tool))
  if (missing.length === 0) return []
  const packages = missing.map((one) => one.package)
  if (process.getuid?.() === 0 && find("apt-get")) {
    console.error(`Installing ${packages.join(", ")} …`)
    const options = {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }
    try {
      execFileSync("apt-get", ["update", "-qq"], options)
      execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], options)
    } catch {
      console.error("apt-get did not succeed.")
    }
  }
  const still = missing.filter(({ tool }) => !find(tool))
  for (const one of still) {
    console.error(`Missing: ${one.tool}, for ${one.for}. Install the package ${one.package}.`)
  }
  return still
}
