/** Where the log of a service is: what is registered says it, else the host is asked. */
import type { ServiceRow } from "../../views/services.js"

export type LogSource =
  | { readonly _tag: "File"; readonly path: string }
  | { readonly _tag: "Journal"; readonly unit: string }
  | { readonly _tag: "Container"; readonly engine: "docker" | "podman"; readonly name: string }

/** What registered fields say: the log path before all, then the runtime with the name it goes by there. */
export const registeredSource = (service: ServiceRow): ReadonlyArray<LogSource> => {
  const named = (key: string): string => nameThere(service, key)
  if (service.logPath !== null) return [{ _tag: "File", path: service.logPath }]
  switch (service.runtime) {
    case "systemd":
      return [{ _tag: "Journal", unit: named("unit") }]
    case "docker":
    case "podman":
      return [{ _tag: "Container", engine: service.runtime, name: named("container") }]
    case "pm2":
      return pm2Files(named("pm2"))
    default:
      return []
  }
}

/** The name a service goes by there: its config's `unit`, `container` or `pm2`, else its own. */
export const nameThere = (service: ServiceRow, key: string): string => {
  const value = service.config?.[key]
  return typeof value === "string" && value !== "" ? value : service.name
}

const pm2Files = (name: string): ReadonlyArray<LogSource> =>
  ["out", "error"].map((stream) => ({
    _tag: "File",
    path: `~/.pm2/logs/${name.replaceAll(/[^\w.-]/g, "-")}-${stream}.log`,
  }))

/** Asks a host who knows a service by the name \`$1\`: `journal`, `docker`, `podman`, `pm2`, a line each. */
export const detect = `
LC_ALL=C; export LC_ALL
[ -n "$(systemctl show -p FragmentPath --value -- "$1" 2>/dev/null)" ] && echo journal
for engine in docker podman; do
  command -v $engine >/dev/null 2>&1 && $engine inspect --type container --format ok -- "$1" >/dev/null 2>&1 && echo $engine
done
for stream in out error; do [ -r "$HOME/.pm2/logs/$1-$stream.log" ] && { echo pm2; break; }; done
exit 0
`

/** What the answer to `detect` means. */
export const detectedSource = (name: string, answer: string): ReadonlyArray<LogSource> => {
  const words = answer.split("\n").map((line) => line.trim())
  if (words.includes("journal")) return [{ _tag: "Journal", unit: name }]
  if (words.includes("docker")) return [{ _tag: "Container", engine: "docker", name }]
  if (words.includes("podman")) return [{ _tag: "Container", engine: "podman", name }]
  return words.includes("pm2") ? pm2Files(name) : []
}
