/** Where the log of a service is: what is registered says it, else the host is asked. */
import type { ServiceRow } from "../../views/services.js"

export type LogSource =
  | { readonly _tag: "File"; readonly path: string }
  | { readonly _tag: "Journal"; readonly unit: string }
  | { readonly _tag: "Container"; readonly engine: "docker" | "podman"; readonly name: string }

/** pm2 writes two files for a service, or two for each of its instances: which, the host knows. */
export interface Pm2 {
  readonly _tag: "Pm2"
  readonly name: string
}

/** What registered fields say: the log path before all, then the runtime with the name it goes by there. */
export const registeredSource = (service: ServiceRow): LogSource | Pm2 | undefined => {
  const named = (key: string): string => nameThere(service, key)
  if (service.logPath !== null) return { _tag: "File", path: service.logPath }
  switch (service.runtime) {
    case "systemd":
      return { _tag: "Journal", unit: named("unit") }
    case "docker":
    case "podman":
      return { _tag: "Container", engine: service.runtime, name: named("container") }
    case "pm2":
      return { _tag: "Pm2", name: named("pm2") }
    default:
      return undefined
  }
}

/** The name a service goes by there: its config's `unit`, `container` or `pm2`, else its own. */
export const nameThere = (service: ServiceRow, key: string): string => {
  const value = service.config?.[key]
  return typeof value === "string" && value !== "" ? value : service.name
}

/** As pm2 itself makes a file's name of a service's. */
export const pm2FileName = (name: string): string => name.replaceAll(/[^\w.-]/g, "-")

/** Which logs pm2 keeps of \`$1\`: with one instance \`out\` and \`error\`, else each with the instance's number. A line each. */
export const pm2Logs = `
LC_ALL=C; export LC_ALL
for file in "$HOME/.pm2/logs/$1"-*.log; do
  part=\${file#"$HOME/.pm2/logs/$1"-} part=\${part%.log}
  case $part in out | error) ;; out-*[!0-9]* | error-*[!0-9]*) continue ;; out-?* | error-?*) ;; *) continue ;; esac
  [ -f "$file" ] && printf '%s\\n' "$part"
done
exit 0
`

/** What the answer to `pm2Logs` means; without one, the two that there would be. */
export const pm2Files = (name: string, answer: string): ReadonlyArray<LogSource> => {
  const parts = answer.match(/^(out|error)(-\d+)?$/gm) ?? ["out", "error"]
  return parts.map((part) => ({ _tag: "File", path: `~/.pm2/logs/${pm2FileName(name)}-${part}.log` }))
}

/** Asks a host who knows a service by the name \`$1\`: `journal`, `docker`, `podman`, `pm2`, a line each. */
export const detect = `
LC_ALL=C; export LC_ALL
[ -n "$(systemctl show -p FragmentPath --value -- "$1" 2>/dev/null)" ] && echo journal
for engine in docker podman; do
  command -v $engine >/dev/null 2>&1 && $engine inspect --type container --format ok -- "$1" >/dev/null 2>&1 && echo $engine
done
for file in "$HOME/.pm2/logs/$1"-out.log "$HOME/.pm2/logs/$1"-error.log "$HOME/.pm2/logs/$1"-out-[0-9]*.log; do
  [ -r "$file" ] && { echo pm2; break; }
done
exit 0
`

/** What the answer to `detect` means. */
export const detectedSource = (name: string, answer: string): LogSource | Pm2 | undefined => {
  const words = answer.split("\n").map((line) => line.trim())
  if (words.includes("journal")) return { _tag: "Journal", unit: name }
  if (words.includes("docker")) return { _tag: "Container", engine: "docker", name }
  if (words.includes("podman")) return { _tag: "Container", engine: "podman", name }
  return words.includes("pm2") ? { _tag: "Pm2", name } : undefined
}
