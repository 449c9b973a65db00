/** How a backup stands to the log in whose place it is to be put: a person who takes one log for another loses both. */
import { lstatSync } from "node:fs"
import type { Side } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { type Connection, NativeConnection } from "./connection.js"
import { glance } from "./doctor/look.js"
import { portraitOf } from "./sync/portrait.js"
import { fingerprint } from "./trust/keys.js"
import { readMembership } from "./trust/membership.js"

/** What a person knows a log by. */
export interface Portrait extends Side {
  /** Its newest event, and when that happened by the clock of who wrote it. ISO 8601 UTC. */
  readonly newest: { readonly type: string; readonly at: string } | null
  /** The machine that says who may write; `null` where the log is not signed. */
  readonly root: { readonly name: string; readonly fingerprint: string } | null
}

/**
 * `new`: nothing is there. `unreadable`: what is there cannot be read, and so not be compared. `forked`: both went on from a common beginning. `another`: they have no common
 * beginning, or went on under different roots. `unsigned`: the same, and only the log that is there is signed.
 */
export type Likeness = "new" | "unreadable" | "same" | "older" | "newer" | "forked" | "another" | "unsigned"

export interface Compared {
  readonly likeness: Likeness
  readonly here: Portrait | null
  readonly backup: Portrait
}

/** Whether a person has to mean it: the log that is there is not gone on with. */
export const isStrange = (likeness: Likeness): boolean => likeness === "another" || likeness === "unsigned"

/**
 * Compares copies of a backup, verified, and of the log that is there: a file that was looked into stays open until its statements
 * are collected, and then nothing can be put in its place. Of a log that cannot be read nothing is known, which is said.
 */
export const compare = (copy: string, there: string): Effect.Effect<Compared> =>
  Effect.acquireUseRelease(
    Effect.sync(() => new NativeConnection(copy, 5_000)),
    (backup) =>
      Effect.map(
        glance(there, (here) => ({ here: portrait(here), likeness: likeness(here, backup) })),
        (found): Compared => ({
          ...(found ?? { likeness: lstatSync(there, { throwIfNoEntry: false }) ? "unreadable" : "new", here: null }),
          backup: portrait(backup),
        }),
      ),
    (backup) => Effect.sync(() => backup.close()),
  )

const portrait = (connection: Connection): Portrait => {
  const { machines, root } = readMembership(connection)
  const member = root === null ? undefined : machines.get(root.machineId)
  const [last] = connection.prepare("SELECT type, occurred_at FROM events ORDER BY position DESC LIMIT 1").all()
  return {
    ...portraitOf(connection),
    newest: last === undefined ? null : { type: String(last[0]).slice(0, 60), at: String(last[1]).slice(0, 30) },
    root: member === undefined ? null : { name: member.name, fingerprint: fingerprint(member.publicKey) },
  }
}

const likeness = (here: Connection, backup: Connection): Likeness => {
  const [ours, theirs] = [headOf(here), headOf(backup)]
  if (ours === 0) return "new"
  const shared = common(here, backup, Math.min(ours, theirs))
  // An older copy may be from before the log was signed.
  const before = readMembership(here, shared === theirs ? theirs : ours).root
  const after = readMembership(backup).root
  if (before !== null && after === null) return "unsigned"
  if (shared === theirs) return shared === ours ? "same" : "older"
  if (shared === 0 || (before !== null && before.eventId !== after?.eventId)) return "another"
  return shared === ours ? "newer" : "forked"
}

const headOf = (connection: Connection): number =>
  connection.prepare("SELECT coalesce(max(position), 0) FROM events").all()[0][0]

/** The last position up to which both are the same. Equal hashes mean equal histories, so it is searched by halves. */
const common = (here: Connection, backup: Connection, until: number): number => {
  const hashAt = (connection: Connection, position: number) =>
    connection.prepare("SELECT hash FROM events WHERE position = ?").all(position)[0]?.[0]
  let [low, high] = [0, until]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (hashAt(here, middle) === hashAt(backup, middle)) low = middle
    else high = middle - 1
  }
  return low
}
