/** What the scripts reply, read as data: whatever a host says, it becomes one of these or nothing. Pure. */

/** Who holds the lock of a service on its host. */
export interface LockHolder {
  /** How many times it had been taken; it only rises. 0 while it is being taken. */
  readonly counter: number
  /** Seconds it has been held, by the host's clock. */
  readonly age: number
  /** The deployment it is held for; `undefined` for one held by hand. */
  readonly deploymentId: string | undefined
  /** What becomes of that deployment: `hand` for none. */
  readonly state: RunState | "hand"
  readonly actor: string
  readonly machine: string
  readonly reason: string
  /** Whether the program that holds it is known to have ended; only its own machine can tell. */
  readonly left: boolean
}

/** `none`: the ledger knows nothing of it. `vanished`: it began, and its processes are gone without an end. */
export type RunState = "none" | "prepared" | "running" | "over" | "vanished"

/** How a run ended, as its host wrote it down. */
export interface RunStatus {
  readonly exitCode: number
  /** Seconds since 1970, by the host's clock. */
  readonly endedAt: number
  /** The commit that is checked out now. */
  readonly commit: string | undefined
  /** Whether the disk was full at the end, so that output may be missing. */
  readonly diskFull: boolean
  readonly steps: ReadonlyArray<StepTime>
  /** Who or what made it end before its time: `timeout`, or a person's name; empty for an end of its own. */
  readonly ending: string
}

export type StepName = "pre" | "command" | "post"

export interface StepTime {
  readonly step: StepName
  readonly exitCode: number
  /** Seconds. */
  readonly duration: number
}

/** The lines of a reply, each as its first word and the rest. */
export const wordsOf = (stdout: string): ReadonlyArray<readonly [word: string, rest: string]> =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const space = line.indexOf(" ")
      return space < 0 ? [line, ""] : [line.slice(0, space), line.slice(space + 1).trim()]
    })

/** The rest of the first line that begins with a word. */
export const find = (lines: ReadonlyArray<readonly [string, string]>, word: string): string | undefined =>
  lines.find(([first]) => first === word)?.[1]

export const commitOf = (text: string | undefined): string | undefined =>
  text !== undefined && /^[0-9a-f]{40,64}$/.test(text) ? text : undefined

/** `held <counter> <since> <age> <owner> <state>`, and the words of the holder. `isGone`: of a program on a machine. */
export const readHolder = (
  lines: ReadonlyArray<readonly [string, string]>,
  isGone: (attendant: string, machine: string) => boolean,
): LockHolder | undefined => {
  const held = find(lines, "held")
  if (held === undefined) return undefined
  const [counter, , age, owner = "", state = ""] = held.split(" ")
  const words = readJson(find(lines, "holder"))
  const text = (key: string) => (typeof words[key] === "string" ? (words[key] as string).slice(0, 500) : "")
  return {
    counter: Number(counter) || 0,
    age: Math.max(0, Number(age) || 0),
    deploymentId: isId(owner) ? owner : undefined,
    state: state === "hand" ? "hand" : asState(state),
    actor: text("actor") || "someone",
    machine: text("machine") || "a machine that did not say its name",
    reason: text("reason"),
    left: isGone(text("attendant"), text("machine")),
  }
}

/** `over <code> <ended at> <commit> <room> <step:code:begin:end …>; <ending>` */
export const readStatus = (line: string): RunStatus | undefined => {
  const found = /^over (\d{1,3}) (\d+) (\S+) (yes|no) ([^;]*);(.*)$/.exec(line)
  if (found === null) return undefined
  const [, code, endedAt, commit, room, steps = "", ending = ""] = found
  return {
    exitCode: Number(code),
    endedAt: Number(endedAt),
    commit: commitOf(commit),
    diskFull: room === "no",
    steps: steps.split(" ").flatMap(readStep),
    ending: ending.trim(),
  }
}

const readStep = (text: string): ReadonlyArray<StepTime> => {
  const found = /^(pre|command|post):(\d{1,3}):([\d.]+):([\d.]+)$/.exec(text)
  if (found === null) return []
  const duration = Math.round((Number(found[4]) - Number(found[3])) * 1000) / 1000
  return [{ step: found[1] as StepName, exitCode: Number(found[2]), duration: Math.max(0, duration) }]
}

export const asState = (word: string): RunState =>
  word === "prepared" || word === "running" || word === "over" || word === "vanished" ? word : "none"

/** The id of a deployment: it becomes part of a path, so nothing else will do. */
export const isId = (text: string): boolean => /^[0-9A-Za-z][0-9A-Za-z-]{7,63}$/.test(text)

/** A JSON object, or an empty one. */
export const readJson = (text: string | undefined): Readonly<Record<string, unknown>> => {
  try {
    const value = JSON.parse(text ?? "")
    return typeof value === "object" && value !== null ? value : {}
  } catch {
    return {}
  }
}
