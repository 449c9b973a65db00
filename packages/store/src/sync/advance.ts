/** One step forward: what an exchange brought is taken over, in one transaction of this machine's log. */
import type { Connection } from "../connection.js"
import { decode, type EventRow } from "../record.js"
import { readHead, readSigning } from "../standing.js"
import { chainOf, claimedKey } from "../trust/chain.js"
import { goBy } from "../trust/lineage.js"
import { readMembership } from "../trust/membership.js"
import { acceptOwn, type Pending, readInert } from "../trust/verdicts.js"
import type { Author } from "./author.js"
import { BrokenChain, type Judged, judgeAfter, remember, type Stop, takeIncoming } from "./judging.js"
import type { Answer, Place } from "./protocol.js"
import { type Rebased, readTail, rebase, rejudge } from "./rebase.js"
import { forgetRows, note, readState, setConfirmed } from "./state.js"
import { unguarded } from "./triggers.js"
import { unfold } from "./unfold.js"

export interface Advanced {
  readonly pushed: number
  readonly pulled: number
  readonly moved: number
  /** Nothing after a place can be judged by this machine as it is. */
  readonly stop?: Stop | undefined
}

const nothing: Advanced = { pushed: 0, pulled: 0, moved: 0 }

/**
 * Takes over what the shared log has after `from`: events of ours that it took, then events of others. Throws `BrokenChain`.
 * Where the confirmed place is not `from` any more, nothing is done.
 */
export const advance = (
  connection: Connection,
  from: Place,
  answer: Pick<Answer, "taken" | "rows">,
  author: Author,
  verified?: ReadonlyMap<string, boolean>,
): Advanced => {
  if (readState(connection).confirmed.hash !== from.hash) return nothing
  // Others' events put all of the tail after them; else only what was pushed is of interest, and what comes next.
  const tail = readTail(connection, from.position, answer.rows.length > 0 ? -1 : answer.taken.length + 1)
  const times = new Map(answer.taken)
  const shown = times.size + sharedLength(tail.slice(times.size), answer.rows)
  const echoed = answer.rows.slice(0, Math.max(times.size, endOfUnits(tail, shown)) - times.size)
  for (const row of echoed) times.set(row[0], row[9])
  const incoming = answer.rows.slice(echoed.length)
  const ours = tail.slice(0, times.size)
  const base = placeOf(ours[ours.length - 1]) ?? from
  follow(base, incoming)
  keepTimes(connection, ours, times, tail[ours.length])
  confirmOwn(connection, from, ours, author)
  const ownRoot = acceptOwn(connection, incoming, author.signer).at(-1)
  const judged = judgeAfter(connection, base.position, incoming, verified && { verified })
  const elsewhere = isWrittenElsewhere(connection, judged, author)
  const { cloned, moved } = takeIn(connection, base, tail.slice(ours.length), judged, author)
  // Of an older copy it is known already why it goes on where the other did.
  if ((cloned && author.regains !== true) || elsewhere) noteClone(connection)
  setConfirmed(connection, placeOf(judged.rows[judged.rows.length - 1]) ?? base)
  if (ours.length > 0 && ours.length === tail.length) forgetRows(connection)
  goByOwn(connection, ownRoot, author)
  return { pushed: ours.length, pulled: judged.rows.length - judged.begun, moved, stop: judged.stop }
}

/** With its own root come those that it went by, which may stand where all was judged before this one was seen. */
const goByOwn = (connection: Connection, root: Pending | undefined, author: Author): void => {
  if (root === undefined || readMembership(connection).root?.eventId !== root.eventId) return
  const from = goBy(connection, root)
  if (from < root.position) rejudge(connection, from, author)
}

/**
 * What this machine pushed is in the shared log now. Where the rule says that it counts for nothing there, it counts for nothing
 * here either.
 */
const confirmOwn = (connection: Connection, from: Place, ours: ReadonlyArray<EventRow>, { signer }: Author): void => {
  if (ours.length === 0) return
  const inert = readInert(connection, from.position)
  const isOurs = (row: EventRow) => row[0] > from.position && !inert.has(row[0])
  const trusted = (row: EventRow) => claimedKey(row) === signer?.id && isOurs(row)
  // What somebody put before them may bear the same signature: all is judged together, as it is by whoever sees it at once.
  const judged = judgeAfter(connection, from.position, ours, { trusted })
  remember(connection, judged)
  const fallen = judged.units.flatMap(({ judged: { verdict }, rows }) =>
    verdict === "inert" ? rows.filter(isOurs).map(decode) : [],
  )
  if (fallen.length > 0) unfold(connection, fallen)
}

const placeOf = (row: EventRow | undefined): Place | undefined => row && { position: row[0], hash: row[10] }

/** How many of the first rows are the same on both sides: the shared log took them, and its answer was lost. */
const sharedLength = (tail: ReadonlyArray<EventRow>, rows: ReadonlyArray<EventRow>): number => {
  const differs = rows.findIndex((row, index) => row[10] !== tail[index]?.[10])
  return differs === -1 ? rows.length : differs
}

/**
 * So many of the first rows are whole units. One that the shared log has only the beginning of is not in it: somebody put that there,
 * and it counts for nothing, as part of no unit. What this machine wrote is put after it, as after any event of others.
 */
const endOfUnits = (tail: ReadonlyArray<EventRow>, until: number): number => {
  const signature = tail[until]?.[11] ?? null
  let end = until
  while (signature !== null && end > 0 && tail[end - 1]?.[11] === signature) end -= 1
  return end
}

/** What came over the network goes on from a place without a gap. What it says there is for the rule to judge. */
const follow = (base: Place, rows: ReadonlyArray<EventRow>): void => {
  rows.forEach((row, index) => {
    if (row[0] !== base.position + 1 + index) throw new BrokenChain(base.position + 1 + index)
  })
}

/** A longer tail is pushed by many pages: it gets these times only before the last of them, not before each. */
const lifted = 2_000

/** The shared log's clock counts for what is in it. What waits here is not recorded before what is there already. */
const keepTimes = (
  connection: Connection,
  ours: ReadonlyArray<EventRow>,
  times: ReadonlyMap<number, string>,
  next: EventRow | undefined,
): void => {
  const changed = ours.filter((row) => times.get(row[0]) !== row[9])
  const last = times.get(ours[ours.length - 1]?.[0] ?? 0) ?? ""
  if (changed.length === 0 && (next === undefined || next[9] >= last)) return
  unguarded(connection, () => {
    const set = connection.prepare("UPDATE events SET recorded_at = ? WHERE position = ?")
    for (const [position] of changed) set.run(times.get(position), position)
    if (next === undefined || readHead(connection).position - next[0] > lifted) return
    connection
      .prepare("UPDATE events SET recorded_at = ?1 WHERE position >= ?2 AND recorded_at < ?1")
      .run(last, next[0])
  })
}

const takeIn = (
  connection: Connection,
  base: Place,
  tail: ReadonlyArray<EventRow>,
  judged: Judged,
  author: Author,
): Rebased => {
  const nothingMoved = { moved: 0, cloned: false }
  if (judged.rows.length === 0) return nothingMoved
  if (tail.length > 0) return rebase(connection, base, tail, judged, author)
  takeIncoming(connection, judged)
  return nothingMoved
}

/**
 * Whether the shared log has units of this machine's key that this file never wrote, and that go on with its very session, which only
 * what was copied from it knows; or that are of a session in which nobody wrote here.
 */
const isWrittenElsewhere = (
  connection: Connection,
  { units }: Judged,
  { regains = false, sessions, signer }: Author,
): boolean => {
  if (signer === undefined || regains) return false
  const own = readSigning(connection)
  const since = sessions?.since(readState(connection).logId ?? "") ?? Number.MAX_SAFE_INTEGER
  const isNew = connection.prepare("SELECT NOT EXISTS (SELECT 1 FROM events WHERE id = ?)")
  return units.some(({ judged: { verdict }, rows: [first] }) => {
    if (verdict !== "counts" || first === undefined) return false
    const chain = chainOf(first)
    if (chain === undefined || chain.key !== signer.id || isNew.get(first[1])[0] !== 1) return false
    const isOfThisFile = own?.machine === signer.id && chain.session === own.session
    return isOfThisFile || (first[0] > since && sessions?.has(chain.session) === false)
  })
}

const noteClone = (connection: Connection): void => {
  const detail =
    "another place writes with this machine's key: a copy of its disk, or an older copy of this file; what was written there and here is told apart and kept"
  note(connection, { at: new Date().toISOString(), what: "cloned", detail })
}
