/** Synchronisation, for people. */
import type { Role } from "@context-engine/core/domain/Machine"
import { type SyncEntry, type SyncReport, type SyncStatus, skewLimit } from "@context-engine/core/services/Sync"
import type { RejectionRow } from "@context-engine/core/views/rejections"
import { safe } from "./safe.js"
import { table } from "./table.js"
import { paint, type Renderer, type Screen, wrap } from "./text.js"
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
export const status: Renderer<SyncStatus> = (found, screen) => {
  const lost = found.loss === null ? [] : [`${paint(screen, "bad", "✗")} ${line(screen, found.loss.message)}`]
  const isAlone = found.remote === null && found.logId === null
  if (isAlone) lost.push("this machine works alone", "  share its log: context infra sync connect <url>")
  const skewed = found.skew !== null && Math.abs(found.skew) > skewLimit
  const shared: ReadonlyArray<readonly [string, string]> = [
    ["shared log", safe(found.remote ?? "no address is configured")],
    ["here to", `position ${found.confirmed}`],
    ["waiting", found.pending === 0 ? "nothing" : paint(screen, "warn", count(found.pending, "event"))],
    ["not here yet", found.behind === 0 ? "nothing that is known of" : count(found.behind, "event")],
    ["last reached", found.lastContact === null ? "never" : ago(screen, found.lastContact)],
    ...(skewed
      ? [["clock", paint(screen, "warn", `${Math.round((found.skew as number) / 1000)} s off`)] as const]
      : []),
  ]
  // Whatever an exit status other than 0 is for, also where nothing is shared any more.
  const rows: ReadonlyArray<readonly [string, string]> = [
    ...(isAlone ? [] : shared),
    ...troubleOf(found, screen),
    ...(found.rejected === 0
      ? []
      : [
          [
            "rejected",
            `${paint(screen, "bad", count(found.rejected, "command"))}: context infra sync rejected`,
          ] as const,
        ]),
    ...(found.clonedAt === null
      ? []
      : [["its key", paint(screen, "warn", `was used in another place too, ${ago(screen, found.clonedAt)}`)] as const]),
    ...(isAlone || found.enrolment === "unsigned" ? [] : [["this machine", standing(found, screen)] as const]),
    ...(found.unknown.length === 0
      ? []
      : [["newer", paint(screen, "warn", `${found.unknown.map(safe).join(", ")}: update context`)] as const]),
  ]
  const told = [...found.roots.map((root) => newRoot(root, screen)), untrusted(found, screen)]
    .filter((text) => text !== "")
    .join("\n")
  return [
    ...lost,
    ...rows.map(([name, value]) => `${name.padEnd(14)}${value}`),
    ...(told === "" ? [] : ["", told]),
  ].join("\n")
}

/** What went wrong last, and what leads on where it does not say that itself. */
const troubleOf = ({ lastError }: SyncStatus, screen: Screen): ReadonlyArray<readonly [string, string]> => {
  if (lastError === null) return []
  const { message, next } = lastError
  return [
    ["trouble", paint(screen, "bad", safe(message))],
    ...(message.includes(next) ? [] : [["", `→ ${safe(next)}`] as const]),
  ]
}

const standings: Record<SyncStatus["enrolment"], string> = {
  enrolled: "enrolled",
  waiting: "waits to be enrolled: context infra machine list",
  revoked: "was revoked: nothing that it writes counts",
  "not-enrolled": "not enrolled: context infra sync now asks for it",
  "no-root": "nobody has said who may write: context infra machine root",
  unsigned: "signs nothing",
}

const standing = ({ enrolment }: SyncStatus, screen: Screen): string =>
  paint(screen, enrolment === "enrolled" ? undefined : enrolment === "revoked" ? "bad" : "warn", standings[enrolment])

const newRoot = ({ fingerprint, name, position }: SyncStatus["roots"][number], screen: Screen): string =>
  [
    `${paint(screen, "bad", "✗")} ${line(screen, `${name} began another root of the log at position ${position}: nothing of it counts here yet`)}`,
    below(screen, `if it is the right one, and shows the same there: context infra machine trust ${fingerprint}`),
  ].join("\n")

/** What in the shared log is not to be believed: events that count for nothing, and what is wrong with running numbers. */
export const untrusted: Renderer<Pick<SyncStatus, "breaks" | "inert" | "inertEvents">> = (found, screen) => {
  const { breaks, inert, inertEvents } = found
  if (inert + breaks.length === 0) return ""
  const bad = paint(screen, "bad", "✗")
  const more = inert - inertEvents.length
  const counts = inert === 1 ? "1 event counts" : `${inert} events count`
  return [
    ...(inert === 0
      ? []
      : [`${bad} ${line(screen, `${counts} for nothing; what is said there is not to be believed`)}`]),
    ...inertEvents.map(({ claims, position, reason, type }) =>
      below(screen, `at ${position}: ${type}, says it is of ${claims}: ${reason}`),
    ),
    ...(more > 0 ? [`    and ${more} more`] : []),
    ...breaks.map(({ message, position }) => `${bad} ${line(screen, `at ${position}: ${message}`)}`),
    below(screen, "when you know why, on an admin machine: context infra machine acknowledge"),
  ].join("\n")
}

const below = (screen: Screen, text: string): string => `    ${wrap(safe(text), screen.columns - 4).join("\n    ")}`

/** A machine that is connected, and may not write yet. */
export interface Waiting {
  readonly waiting: true
  readonly name: string
  readonly fingerprint: string
  readonly confirmed: number
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

const line = (screen: Screen, text: string): string => wrap(safe(text), screen.columns - 2).join("\n  ")
