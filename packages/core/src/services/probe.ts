/** Metrics without an agent: one POSIX sh script that reads /proc, and the reading of what it prints. */
import type { Resources } from "../domain/Server.js"
import { plain } from "./deployer/output.js"

/** Sizes in bytes, uptime in seconds; `null` where the system does not tell. */
export interface Metrics {
  readonly os: string | null
  readonly kernel: string | null
  readonly uptime: number | null
  /** Over 1, 5 and 15 minutes. */
  readonly load: readonly [number, number, number] | null
  readonly cpus: number | null
  readonly memory: { readonly total: number; readonly available: number } | null
  /** Of the file system that holds `/`. */
  readonly disk: { readonly total: number; readonly available: number } | null
}

/** Prints `key=value` lines. Works in dash, busybox ash and bash; what a system lacks is left out. */
export const probeScript = `
LC_ALL=C; export LC_ALL
echo context-probe=1
echo "kernel=$(uname -sr 2>/dev/null)"
[ -r /etc/os-release ] && (. /etc/os-release 2>/dev/null; echo "os=$ID\${VERSION_ID:+-$VERSION_ID}")
[ -r /proc/uptime ] && { read -r up rest </proc/uptime; echo "uptime=$up"; }
[ -r /proc/loadavg ] && { read -r one five fifteen rest </proc/loadavg; echo "load=$one $five $fifteen"; }
echo "cpus=$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null)"
[ -r /proc/meminfo ] && while read -r key value rest; do case $key in MemTotal:|MemAvailable:) echo "$key$value";; esac; done </proc/meminfo
df -Pk / 2>/dev/null | while read -r device blocks used available rest; do case $blocks in *[!0-9]*|'') ;; *) echo "disk=$blocks $available";; esac; done
exit 0
`

/** Reads the script's output; what comes before it (a login's greeting) is skipped. `null` if it did not run at all. */
export const parseProbe = (output: string): Metrics | null => {
  const lines = output.split("\n").map((line) => line.trim())
  const begin = lines.indexOf("context-probe=1")
  if (begin < 0) return null
  const values = new Map<string, string>()
  for (const line of lines.slice(begin)) {
    const match = /^([\w-]+)[=:]\s*(.*)$/.exec(line)
    if (match !== null) values.set(match[1] as string, match[2] as string)
  }
  const text = (key: string) => clean(values.get(key))
  const numbers = (key: string) => (values.get(key) ?? "").split(" ").filter(notEmpty).map(decimal)
  const number = (key: string) => numbers(key)[0] ?? null
  const [one, five, fifteen] = numbers("load")
  const load = isNumber(one) && isNumber(five) && isNumber(fifteen) ? ([one, five, fifteen] as const) : null
  const [blocks, available] = numbers("disk")
  return {
    os: text("os"),
    kernel: text("kernel"),
    uptime: number("uptime"),
    load,
    cpus: number("cpus"),
    memory: size(number("MemTotal"), number("MemAvailable")),
    disk: size(blocks, available),
  }
}

/** What a server's row says of its machine: sizes in whole gigabytes, as people write them. */
export const resourcesOf = (metrics: Metrics): Resources => ({
  cpu: metrics.cpus,
  ram: metrics.memory === null ? null : gigabytes(metrics.memory.total),
  disk: metrics.disk === null ? null : gigabytes(metrics.disk.total),
})

const gigabytes = (bytes: number): string => `${Math.max(1, Math.round(bytes / 2 ** 30))}GB`

const size = (totalKib: number | null | undefined, availableKib: number | null | undefined) =>
  isNumber(totalKib) && isNumber(availableKib) ? { total: totalKib * 1024, available: availableKib * 1024 } : null

const isNumber = (value: number | null | undefined): value is number => typeof value === "number"

/** Kibibytes up to this many are whole bytes that JavaScript can count: 8 PiB. */
const largest = Number.MAX_SAFE_INTEGER / 1024

/** A plain decimal number; `null` for anything else, and for more than any machine has. */
const decimal = (word: string): number | null => {
  const value = /^\d+(\.\d+)?$/.test(word) ? Number(word) : Number.NaN
  return value <= largest ? value : null
}

const notEmpty = (word: string): boolean => word !== ""

const clean = (value = ""): string | null => {
  const printable = plain(value)
    .replace(/[^\x20-\x7e]/g, "")
    .slice(0, 100)
    .trim()
  return printable === "" ? null : printable
}
