/** Logins as some hosts have them, for an sshd's `extra`. */

import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { describeSshd, type SshdOptions, startSshd } from "./sshd.js"
import { requireTool, toolPath } from "./tools.js"

/** Lets everybody in, and then never runs anything. */
export const hanging = ["ForceCommand exec sleep 600"]

/** A host that has nothing but busybox: its shell is ash, and each program one of its applets. */
const busyboxOnly = () => {
  const bin = mkdtempSync(join(tmpdir(), "busybox-"))
  const busybox = toolPath("busybox")
  for (const applet of execFileSync(busybox, ["--list"], { encoding: "utf8" }).split("\n")) {
    if (applet !== "" && applet !== "login") symlinkSync(busybox, join(bin, applet))
  }
  mkdirSync(join(bin, "login"))
  const login = join(bin, "login", "shell")
  // What names the system's own shell means this one.
  writeFileSync(
    login,
    `#!${bin}/ash\nexport PATH=${bin}\nexec ${bin}/ash -c "$(printf '%s\\n' "$SSH_ORIGINAL_COMMAND" | sed 's#/bin/sh#${bin}/sh#g')"\n`,
    { mode: 0o755 },
  )
  return { bin, extra: [`ForceCommand ${login}`], dispose: () => rmSync(bin, { recursive: true }) }
}

/** A suite on a host that has only busybox: it starts its sshd by what it is given. `bin` is where the programs are there. */
export const describeBusybox = (name: string, suite: (startHost: typeof startSshd, bin: () => string) => void): void =>
  requireTool("busybox", "busybox")(name, () => {
    let login: ReturnType<typeof busyboxOnly>
    beforeAll(() => {
      login = busyboxOnly()
    })
    suite(
      ({ extra = [], ...options }: SshdOptions = {}) => startSshd({ ...options, extra: [...extra, ...login.extra] }),
      () => login.bin,
    )
    afterAll(() => login.dispose())
  })

/** The same suite on a host like this one and on one that has only busybox. */
export const describeHosts = (name: string, suite: (startHost: typeof startSshd) => void): void => {
  describeSshd(name, () => suite(startSshd))
  describeBusybox(`${name} on a host that has only busybox`, suite)
}
