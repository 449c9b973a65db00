/** What this file remembers of the rule: which events of the shared log are inert, and where each session of it ends. */
import { machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import { type Membership, unaccepted } from "@context-engine/core/domain/Membership"
import { isApart } from "@context-engine/core/effectiveTime"
import type { PendingRoot } from "@context-engine/core/services/Machines"
import type { Connection } from "../connection.js"
import { columns, type EventRow, genesis } from "../record.js"
import type { Known } from "./Admission.js"
import { readCovered } from "./acknowledged.js"
import { chainOf, claimedKey, isRoot, isSelfSigned } from "./chain.js"
import { acceptRoot, readDecided, turnDownRoots } from "./decided.js"
import { fingerprint, keyId } from "./keys.js"
import { readLink } from "./links.js"
import { readMembership } from "./membership.js"
import { calledAsNow } from "./names.js"
import { notWhole } from "./notWhole.js"
import { lastStated } from "./sealing.js"
import { isTurnedDown } from "./turnedDown.js"
import { mostBeginnings, type Run } from "./unitAt.js"

/** What the rule has to know after a position, up to which all is judged. */
export const knownAt = (connection: Connection, position: number): Known => ({
  membership: readMembership(connection, position),
  link: (machine, session) => readLink(connection, machine, session),
  decided: readDecided(connection),
  asked: readPending(connection).map((one) => ({ ...one, machineId: keyId(one.publicKey) })),
  ...endAt(connection, position),
})

const endAt = (connection: Connection, position: number): Pick<Known, "hash" | "statedAt" | "run"> => {
  const found = connection.prepare("SELECT hash, occurred_at FROM events WHERE position = ?").get(position)
  return { hash: found?.[0] ?? genesis, statedAt: found?.[1] ?? "", run: runUntil(connection, position) }
}

/** As much of it as makes a difference. */
const runUntil = (connection: Connection, position: number): Run => {
  const find = connection.prepare("SELECT signature FROM events WHERE position = ?")
  const signature: string | null = find.get(position)?.[0] ?? null
  let length = 0
  while (signature !== null && length < mostBeginnings && find.get(position - length)?.[0] === signature) length += 1
  return { signature, length }
}

/** The roots that count after a position, in their order. */
export const rootsAfter = (connection: Connection, position: number): ReadonlyArray<Pending> =>
  (
    connection
      .prepare(
        `SELECT ${columns} FROM events WHERE stream = ? AND type = ? AND position > ?
         AND position NOT IN (SELECT position FROM inert) ORDER BY position`,
      )
      .all(machinesStream, RootEstablished.type, position) as ReadonlyArray<EventRow>
  ).map(pendingOf)

/** The roots that counted before the one that counts now. */
export const readEarlier = (connection: Connection): ReadonlyArray<Pending> => rootsAfter(connection, 0).slice(0, -1)

/**
 * A root that this machine's own key began is one that a person on it has accepted, though an older file knows nothing of it, and so
 * are those that it went by; unless that person has said otherwise since. Gives the own ones.
 */
export const acceptOwn = (
  connection: Connection,
  rows: ReadonlyArray<EventRow>,
  signer: { readonly id: string } | undefined,
): ReadonlyArray<Pending> => {
  const own = rows.filter(
    (row) => isRoot(row) && claimedKey(row) === signer?.id && isSelfSigned(row) && !isTurnedDown(connection, row[1]),
  )
  for (const row of own)
    for (const one of [...(lineageOf(connection, row, rows) ?? []), row]) acceptRoot(connection, pendingOf(one))
  return own.map(pendingOf)
}

/** Accepts those of some roots that a person on this machine accepted before: the very events, signed with the very keys. */
export const acceptKept = (
  connection: Connection,
  rows: ReadonlyArray<EventRow>,
  kept: ReadonlyArray<{ readonly eventId: string; readonly publicKey: string }>,
): void => {
  for (const row of rows) {
    const same = kept.filter(({ eventId }) => eventId === row[1])
    if (same.length === 0 || !isRoot(row) || !isSelfSigned(row)) continue
    const { publicKey } = pendingOf(row)
    if (same.some((one) => one.publicKey === publicKey)) acceptRoot(connection, { eventId: row[1], publicKey })
  }
}

/**
 * The roots that one goes by: those of what it names that stand before it, as part of what it signed, for nobody is armed for later.
 * `undefined` where an older version did not say. `coming`: rows that are to follow those of the log.
 */
export const lineageOf = (
  connection: Connection,
  [position, , , , , , data]: EventRow,
  coming: ReadonlyArray<EventRow> = [],
): ReadonlyArray<EventRow> | undefined => {
  const { roots } = JSON.parse(data) as { readonly roots?: unknown }
  if (!Array.isArray(roots)) return undefined
  const there = connection
    .prepare(`SELECT ${columns} FROM events WHERE stream = ? AND type = ? AND position < ?`)
    .all(machinesStream, RootEstablished.type, position) as ReadonlyArray<EventRow>
  const before = coming.filter((row) => isRoot(row) && row[0] < position)
  return [...there, ...before].filter((row) => roots.includes(row[1]) && isSelfSigned(row))
}

/** Whoever holds the token can begin any number of roots: more than these nobody is asked about. */
const mostPending = 20

/** A root that nobody here has judged. */
export interface Pending {
  readonly eventId: string
  readonly position: number
  readonly name: string
  readonly publicKey: string
}

export const notePending = (connection: Connection, row: EventRow): void => {
  const { eventId, name, position, publicKey } = pendingOf(row)
  const others = readPending(connection).filter((one) => one.eventId !== eventId)
  if (others.length >= mostPending) return
  connection
    .prepare(
      // Under the id of one that waits another may stand now: a person compares the one that is there.
      `INSERT INTO roots (event_id, position, name, public_key) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT (event_id) DO UPDATE SET position = ?2, name = ?3, public_key = ?4
       WHERE accepted_at IS NULL AND public_key IS NOT NULL`,
    )
    .run(eventId, position, name, publicKey)
}

export const readPending = (connection: Connection): ReadonlyArray<Pending> =>
  connection
    .prepare(
      `SELECT event_id, coalesce((SELECT events.position FROM events WHERE events.id = event_id), position) AS place, name, public_key
       FROM roots WHERE accepted_at IS NULL AND public_key IS NOT NULL ORDER BY place`,
    )
    .all()
    .map(([eventId, position, name, publicKey]) => ({ eventId, position, name, publicKey }))

/**
 * No root that waits is the right one. Gives how many they were. `apart`: only those that are not in the log of this file, for what
 * is in it is an admin's to acknowledge.
 */
export const turnDownPending = (connection: Connection, { apart }: { readonly apart: boolean }): number => {
  const found = apart ? readPending(connection).filter(isApartFrom(connection)) : readPending(connection)
  turnDownRoots(
    connection,
    found.map(({ eventId }) => eventId),
  )
  return found.length
}

/** Whether a root was met in what the shared log showed, and is not in the log of this file: it can be where a server was put back. */
const isApartFrom = (connection: Connection) => {
  const find = connection.prepare("SELECT 1 FROM events WHERE id = ?")
  return ({ eventId }: Pending): boolean => find.get(eventId) === undefined
}

/** The roots among some that wait for a person's word. One that an admin has acknowledged in this log is no news any more. */
export const askedAmong = (
  connection: Connection,
  members: Membership,
  roots: ReadonlyArray<Pending>,
): ReadonlyArray<Pending> => {
  if (roots.length === 0) return roots
  const covered = readCovered(connection, members)
  const isApart = isApartFrom(connection)
  return roots.filter((root) => root.position > covered || isApart(root))
}

/** All roots that wait for a person's word, as they are shown. */
export const readAsked = (connection: Connection, members: Membership): ReadonlyArray<PendingRoot> =>
  calledAsNow(connection, askedAmong(connection, members, readPending(connection))).map(
    ({ name, position, publicKey }) => ({ name, position, fingerprint: fingerprint(publicKey) }),
  )

/** All roots that somebody asks about, wherever they are in the log: no number of others keeps one from being found. */
export const findRoots = (connection: Connection): ReadonlyArray<Pending> => {
  const rows = connection
    .prepare(
      `SELECT ${columns} FROM events WHERE stream = ? AND type = ?
       AND position IN (SELECT position FROM inert WHERE reason = ?) ORDER BY position`,
    )
    .all(machinesStream, RootEstablished.type, unaccepted) as ReadonlyArray<EventRow>
  const found = rows.filter(isSelfSigned).map(pendingOf)
  return [...readPending(connection).filter(({ eventId }) => !found.some((one) => one.eventId === eventId)), ...found]
}

export const pendingOf = (row: EventRow): Pending => {
  const { name, publicKey } = JSON.parse(row[6])
  return { eventId: row[1], position: row[0], name: String(name), publicKey: String(publicKey) }
}

export const markInert = (connection: Connection, position: number, reason: string): void => {
  connection.prepare("INSERT OR REPLACE INTO inert VALUES (?, ?)").run(position, reason)
}

export const markBroken = (connection: Connection, position: number, message: string): void => {
  connection.prepare("INSERT OR IGNORE INTO breaks VALUES (?, ?)").run(position, message)
}

export const markClockStep = (connection: Connection, position: number): void => {
  connection.prepare("INSERT OR IGNORE INTO clock_steps VALUES (?)").run(position)
}

/** Remembers where clocks went back in rows that were put at the end of the log. */
export const markClockSteps = (connection: Connection, rows: ReadonlyArray<EventRow>): void => {
  const sessions = new Map<string, string>()
  let previous = rows[0] && endAt(connection, rows[0][0] - 1).statedAt
  for (const row of rows) {
    const chain = chainOf(row)
    const id = `${chain?.key} ${chain?.session}`
    const before =
      chain === undefined
        ? (previous ?? "")
        : (sessions.get(id) ?? readLink(connection, chain.key, chain.session)?.occurredAt ?? "")
    if (row[8] < before && !isApart({ stream: row[2], type: row[4] })) markClockStep(connection, row[0])
    sessions.set(id, lastStated([row], before))
    previous = row[8]
  }
}

/** Forgets what was said of places that are given up. */
export const forgetAfter = (connection: Connection, position: number): void => {
  for (const table of ["inert", "breaks", "clock_steps"])
    connection.prepare(`DELETE FROM ${table} WHERE position > ?`).run(position)
}

/** The positions after a place that are inert. */
export const readInert = (connection: Connection, after: number): ReadonlySet<number> =>
  new Set(
    connection
      .prepare("SELECT position FROM inert WHERE position > ?")
      .all(after)
      .map(([position]) => position as number),
  )

/** No unit of ours has more characters: somebody may have put any number of rows under one signature. */
const mostOfPart = 200_000_000

/** The part of a unit that the log up to a position ends with, if the next row may go on with it. */
export const partBefore = (
  connection: Connection,
  position: number,
  next: EventRow | undefined,
): ReadonlyArray<EventRow> => {
  if (next === undefined || next[11] === null) return []
  const part: Array<EventRow> = []
  const find = connection.prepare(
    `SELECT ${columns} FROM events WHERE position = ? AND signature = ?
     AND position IN (SELECT position FROM inert WHERE reason = '${notWhole}')`,
  )
  let characters = 0
  for (let at = position; characters < mostOfPart; at--) {
    const row = find.get(at, next[11]) as EventRow | undefined
    if (row === undefined) break
    characters += row[6].length + row[7].length
    part.push(row)
  }
  return part.reverse()
}
