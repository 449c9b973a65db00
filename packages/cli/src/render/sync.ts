/** Synchronisation, for people. */
import type { Role } from "@context-engine/core/domain/Machine"
import {
  besideRoots,
  claimed,
  type SyncEntry,
  type SyncReport,
  type SyncStatus,
  skewLimit,
  type Untrusted,
} from "@context-engine/core/services/Sync"
import { toBelong } from "@context-engine/core/services/sync/wayOut"
import type { RejectionRow } from "@context-engine/core/views/rejections"
import type { SyncMode } from "../runtime/log.js"
import { safe } from "./safe.js"
import { table } from "./table.js"
import { paint, type Renderer, type Screen, type Style, width, wrap } from "./text.js"
import { ago, count, shortIds } from "./units.js"

/** What one synchronisation did. */
export const report: Renderer<SyncReport> = (done, screen) => {
  if (done.skipped) return "another process of this machine is synchronising already"
  const { moved, pending, pulled, pushed, rejected } = done
  const parts = [
    `${count(pushed, "event")} pushed`,
    `${count(pulled, "event")} pulled`,
    ...(moved > 0 ? [`${moved} put after them`] : []),
  ]
  return [
    `${paint(screen, "good", "✓")} ${parts.join(", ")}, in ${count(done.roundTrips, "round trip")}; both logs end at ${done.confirmed}`,
    ...rejected.map(({ outcome, reason, what }) =>
      outcome === "moot"
        ? line(screen, `nothing was left to do: ${what} (${reason})`)
        : `${paint(screen, "bad", "✗")} ${line(screen, `${what}: ${reason}`)}`,
    ),
    ...(pending > 0
      ? [`${paint(screen, "warn", "!")} ${count(pending, "event")} of this machine ${pending === 1 ? "waits" : "wait"}`]
      : []),
  ].join("\n")
}

/** How this machine stands. */
export const status =
  (mode: SyncMode): Renderer<SyncStatus> =>
  (found, screen) => {
    const lost = found.loss === null ? [] : lossOf(found.loss, screen)
    const isAlone = found.remote === null && found.logId === null
    if (isAlone) lost.push("this machine works alone", "  share its log: context infra sync connect <url>")
    const rows = [...(isAlone ? [] : shared(found, screen)), ...trouble(found, screen, { isAlone, mode })]
    const told = [
      ...found.roots.map((root) => newRoot(root, screen)),
      untrusted({ ...besideRoots(found), rootWaits: found.roots.length > 0 }, screen),
    ]
      .filter((text) => text !== "")
      .join("\n")
    return [...lost, ...rows.flatMap((row) => shown(row, screen)), ...(told === "" ? [] : ["", told])].join("\n")
  }

/** What is missing, and the ways back. */
const lossOf = ({ message, next }: NonNullable<SyncStatus["loss"]>, screen: Screen): Array<string> => [
  `${paint(screen, "bad", "✗")} ${line(screen, message)}`,
  below(screen, `→ ${next}`),
]

/** A name, and what is said of it. */
type Row = readonly [name: string, said: string, style?: Style | undefined]

const names = 14

/** Beside its name; on a narrow screen below it, where it is long. */
const shown = ([name, said, style]: Row, screen: Screen): ReadonlyArray<string> => {
  const text = safe(said)
  const below = screen.columns < 60 && width(text) > screen.columns - names
  const indent = " ".repeat(below ? 4 : names)
  const [first = "", ...rest] = wrap(text, screen.columns - indent.length).map((part) => paint(screen, style, part))
  const lines = below ? [...(name === "" ? [] : [name]), `${indent}${first}`] : [`${name.padEnd(names)}${first}`]
  return [...lines, ...rest.map((part) => `${indent}${part}`)]
}

const shared = (found: SyncStatus, screen: Screen): ReadonlyArray<Row> => [
  found.remote === null
    ? ["shared log", "no address for it is configured here: context infra sync connect <url>", "warn"]
    : ["shared log", found.remote],
  ["here to", `position ${found.confirmed}`],
  found.pending === 0 ? ["waiting", "nothing"] : ["waiting", count(found.pending, "event"), "warn"],
  ["not here yet", found.behind === 0 ? "nothing that is known of" : count(found.behind, "event")],
  ["last reached", found.lastContact === null ? "never" : ago(screen, found.lastContact)],
  ...(found.skew !== null && Math.abs(found.skew) > skewLimit
    ? [["clock", `${Math.round(found.skew / 1000)} s off`, "warn"] as const]
    : []),
]

/** Whether there is nothing that is shared, and how it is where there is. */
interface Kept {
  readonly isAlone: boolean
  readonly mode: SyncMode
}

/** Whatever an exit status other than 0 is for, also where nothing is shared any more. */
const trouble = (found: SyncStatus, screen: Screen, { isAlone, mode }: Kept): ReadonlyArray<Row> => {
  const { asking, clonedAt, enrolment, lastError, rejected, unknown } = found
  const rows: Array<Row> = []
  if (lastError !== null) rows.push(["trouble", lastError.message, "bad"])
  // What leads on, where the error does not say that itself.
  if (lastError !== null && !lastError.message.includes(lastError.next)) rows.push(["", `→ ${lastError.next}`])
  if (found.keyTrouble !== null) rows.push(["its key", found.keyTrouble, "bad"])
  if (rejected > 0) rows.push(["rejected", `${count(rejected, "command")}: context infra sync rejected`, "bad"])
  if (clonedAt !== null) rows.push(["its key", `was used in another place too, ${ago(screen, clonedAt)}`, "warn"])
  // Who may write here is in the log that was lost.
  const isLost = found.loss !== null && enrolment === "no-root"
  if (!isAlone && enrolment !== "unsigned" && !isLost)
    rows.push(["this machine", standingOf(found, mode), styleOf(enrolment)])
  if (asking.length > 0)
    rows.push(["asking", `${asking.map(({ name }) => name).join(", ")}: context infra machine list`, "warn"])
  if (unknown.length > 0)
    rows.push([
      "newer",
      `${unknown.map(({ by, type }) => `${safe(type)} by ${safe(by)}`).join(", ")}: upgrade context`,
      "warn",
    ])
  return rows
}

const standingOf = ({ enrolment, lastError, logId, remote }: SyncStatus, mode: SyncMode): string => {
  if (lastError !== null && ofAnother.has(lastError.reason)) return inAnother[enrolment] ?? standings[enrolment]
  if (enrolment === "no-root" && logId === null && remote !== null)
    return "who may write is not known before it was reached: context infra sync now"
  if (enrolment !== "not-enrolled") return standings[enrolment]
  if (mode === "remote")
    return "not enrolled: it reads, and writes nothing. A job has a key of its own: context infra machine add <name>"
  if (remote === null) return "not enrolled: context infra sync connect <url> asks for it"
  if (logId !== null) return standings[enrolment]
  return `not enrolled in the log that is here: ${toBelong({ logId, isConnected: true })}`
}

const standings: Record<SyncStatus["enrolment"], string> = {
  enrolled: "enrolled",
  waiting: "waits to be enrolled: context infra machine list",
  revoked: "was revoked: nothing that it writes counts",
  "not-enrolled": "not enrolled: context infra sync now asks for it",
  "no-root": "nobody has said who may write: context infra machine root",
  unsigned: "signs nothing",
}

/** That the file is of another log than the one that is shared: what leads on is said with that, and holds for this, too. */
const ofAnother: ReadonlySet<string> = new Set(["foreign", "to-merge"])

const inAnother: Partial<Record<SyncStatus["enrolment"], string>> = {
  waiting: "waits to be enrolled in the log that is here",
  "not-enrolled": "not enrolled in the log that is here",
  "no-root": "nobody has said who may write to the log that is here",
}

const styleOf = (enrolment: SyncStatus["enrolment"]): Style | undefined =>
  enrolment === "enrolled" ? undefined : enrolment === "revoked" ? "bad" : "warn"

const newRoot = ({ fingerprint, name, position }: SyncStatus["roots"][number], screen: Screen): string =>
  [
    `${paint(screen, "bad", "✗")} ${line(screen, `${name} began another root of the log at position ${position}: nothing of it counts here yet`)}`,
    below(screen, `if it is the right one, and shows the same there: context infra machine trust ${fingerprint}`),
  ].join("\n")

/** What in the shared log is not to be believed: events that count for nothing, and what is wrong with running numbers. */
export const untrusted: Renderer<Untrusted & { readonly rootWaits?: boolean }> = (found, screen) => {
  const { breaks, inert, inertEvents, rootWaits = false } = found
  const when = rootWaits ? "when the root is settled and you know why" : "when you know why"
  if (inert + breaks.length === 0) return ""
  const bad = paint(screen, "bad", "✗")
  const more = inert - inertEvents.length
  const counts = inert === 1 ? "1 event counts" : `${inert} events count`
  return [
    ...(inert === 0
      ? []
      : [`${bad} ${line(screen, `${counts} for nothing; what is said there is not to be believed`)}`]),
    ...inertEvents.map(({ claims, position, reason, type }) =>
      below(screen, `at ${position}: ${JSON.stringify(type)}, says it is of ${claimed(claims)}: ${reason}`),
    ),
    ...(more > 0 ? [`    and ${more} more`] : []),
    ...breaks.map(({ message, position }) => `${bad} ${line(screen, `at ${position}: ${message}`)}`),
    below(screen, `${when}, on an admin machine: context infra machine acknowledge`),
  ].join("\n")
}

const below = (screen: Screen, text: string): string => `    ${wrap(safe(text), screen.columns - 4).join("\n    ")}`

/** A machine that is connected, and may not write yet. */
export interface Waiting {
  readonly waiting: true
  readonly name: string
  readonly fingerprint: string
  readonly confirmed: number
  /** Commands of this file that could not stand, and that nobody has dealt with. */
  readonly rejected: number
}

/** A machine that was enrolled before it showed an invite, which `offered` it a role. */
export interface Already {
  readonly name: string
  readonly role: Role
  readonly offered: Role
}

type Brought = SyncReport & { readonly already?: Already }

/** What connecting did: all was brought together, or this machine has what others did and waits to be enrolled. */
export const connected: Renderer<Brought | Waiting> = (done, screen) => {
  if (!("waiting" in done)) return [report(done, screen), ...unused(done, screen)].join("\n")
  const { fingerprint, name } = done
  return [
    `${paint(screen, "warn", "!")} ${line(screen, `connected; this machine has the log to position ${done.confirmed}, and waits to be enrolled. Its fingerprint:`)}`,
    "",
    `    ${paint(screen, "strong", safe(fingerprint))}`,
    "",
    `  on an admin machine, if it shows the same: context infra machine approve ${safe(name)}`,
  ].join("\n")
}

const unused = ({ already }: Brought, screen: Screen): ReadonlyArray<string> => {
  if (already === undefined) return []
  const { name, offered, role } = already
  const said = `this machine is enrolled already, as ${role}: the code was not used`
  return [
    `${paint(screen, "warn", "!")} ${line(screen, said)}`,
    ...(offered === role || role === "admin"
      ? []
      : [below(screen, `to make it an admin, on an admin machine: context infra machine approve ${name} --admin`)]),
  ]
}

/** What happened. */
export const entries: Renderer<ReadonlyArray<SyncEntry>> = (rows, screen) =>
  rows.length === 0
    ? "nothing was ever shared from here"
    : table(
        screen,
        [
          { title: "when", cell: (row) => ago(screen, row.at) },
          { title: "what", cell: (row) => row.what },
          { title: "detail", cell: (row) => row.detail, flexible: true },
        ],
        rows,
      )

/** Commands that could not stand. */
export const rejections: Renderer<ReadonlyArray<RejectionRow>> = (rows, screen) =>
  rows.length === 0
    ? "nothing was rejected"
    : table(
        screen,
        [
          { title: "id", cell: shortIds(rows) },
          { title: "status", cell: (row) => row.status },
          { title: "what", cell: (row) => row.what, flexible: true },
          { title: "why", cell: (row) => row.reason, flexible: true },
          { title: "by", cell: (row) => `${row.actor}@${row.machine}` },
          { title: "given", cell: (row) => ago(screen, row.givenAt) },
        ],
        rows,
      )

/** All of this machine's own at once, and in a sentence what became of them. */
export const settled =
  (how: "retry" | "drop"): Renderer<ReadonlyArray<RejectionRow>> =>
  (rows, screen) => {
    if (rows.length === 0)
      return `no refused command of this machine is open that could be ${how === "retry" ? "given again" : "let go"}`
    const open = rows.filter(({ status }) => status === "open").length
    const done = rows.length - open
    const good = how === "retry" ? `${done} given again, and ${done === 1 ? "stands" : "stand"} now` : `${done} let go`
    const parts = [...(done === 0 ? [] : [good]), ...(open === 0 ? [] : [`${open} still refused`])]
    return [rejections(rows, screen), "", `${paint(screen, open === 0 ? "good" : "warn", open === 0 ? "✓" : "!")} ${line(screen, `${count(rows.length, "refused command")}: ${parts.join("; ")}`)}`].join("\n") // biome-ignore format: a list
  }

const line = (screen: Screen, text: string): string => wrap(safe(text), screen.columns - 2).join("\n  ")
