/** What /proc says of processes: `ls -ld /proc/<pid>/exe`, and lines of their stat and cgroup files. Pure; never throws. */
import type { Process } from "../types.js"
import { path, pid, token } from "../words.js"

const most = 5_000

type Growing = { -readonly [K in keyof Process]: Process[K] }

export const parseProcesses = (text: string): ReadonlyArray<Process> => {
  const found = new Map<number, Growing>()
  for (const line of text.split("\n")) {
    const match = /\/proc\/(\d{1,7})\/(exe|cwd|stat|cgroup)(?: -> |:)(.*)$/.exec(line.slice(0, 2_000))
    const number = pid(match?.[1])
    if (match === null || number === undefined || (found.size >= most && !found.has(number))) continue
    const one = found.get(number) ?? { pid: number }
    found.set(number, one)
    note(one, match[2] as string, match[3] as string)
  }
  return [...found.values()]
}

const note = (one: Growing, file: string, value: string): void => {
  if (file === "exe") one.program = path(value.replace(/ \(deleted\)$/, ""))
  if (file === "cwd") one.directory = path(value.replace(/ \(deleted\)$/, ""))
  if (file === "cgroup") {
    const group = value.slice(value.lastIndexOf(":") + 1)
    one.unit ??= unitOf(group)
    one.container ??= containerOf(group)
  }
  if (file === "stat") {
    // The name stands in brackets and may hold anything, brackets too.
    const [open, close] = [value.indexOf("("), value.lastIndexOf(")")]
    if (open < 0 || close < open) return
    one.name = token(value.slice(open + 1, close).split(" ")[0], 60)
    one.parent = pid(
      value
        .slice(close + 1)
        .trim()
        .split(" ")[1],
    )
  }
}

/** The innermost unit of a control group: `/system.slice/api.service`, or `…/user@1000.service/app.slice/api.service`. */
export const unitOf = (group: string): string | undefined =>
  token(
    group
      .slice(0, 1_000)
      .split("/")
      .filter((part) => part.endsWith(".service"))
      .at(-1),
  )

/** `/system.slice/docker-<id>.scope`, `/docker/<id>`, `/machine.slice/libpod-<id>.scope` */
const containerOf = (group: string): string | undefined =>
  /(?:docker|libpod|crio|cri-containerd)[-/]([0-9a-f]{12})[0-9a-f]{52}/.exec(group.slice(0, 1_000))?.[1]
