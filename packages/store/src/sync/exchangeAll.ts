/** Pushes and pulls, page by page, until both logs are the same. */
import { type StorageError, SyncError } from "@context-engine/core/Errors"
import type { Meta } from "@context-engine/core/Event"
import type { SyncOptions } from "@context-engine/core/services/Sync"
import { units } from "@context-engine/core/services/sync/units"
import { outOfDamage } from "@context-engine/core/services/sync/wayOut"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Connection } from "../connection.js"
import type { EventRow } from "../record.js"
import { readHead } from "../standing.js"
import { claimedKey, endOfRun } from "../trust/chain.js"
import { readMembership } from "../trust/membership.js"
import { nameOf } from "../trust/names.js"
import { notePending } from "../trust/verdicts.js"
import { verifyAhead } from "../trust/verifying.js"
import { advance } from "./advance.js"
import { ask, type Parts, type Tally } from "./asking.js"
import type { Author } from "./author.js"
import { Displaced, Squatted } from "./displaced.js"
import { askToJoin, keylessIn, mayPush, rootsInDoubt, withheldBy } from "./enrolling.js"
import { BrokenChain, type Stop } from "./judging.js"
import { lastWord } from "./lastWord.js"
import { refuseOtherKeys } from "./otherKeys.js"
import { type Answer, bytesOf, type Place, pageBytes } from "./protocol.js"
import { isWish, readTail } from "./rebase.js"
import { MisplacedRoot } from "./roots.js"
import { readState } from "./state.js"
import { decisionsFirst, forgetKnown, hasFreeDecision, heldFrom } from "./unknown.js"

type Failed = SyncError | StorageError

/** Events pushed at once. */
const pushed = 500
/** Events that are folded in one transaction: others have their turn between two. */
const stride = 500

/**
 * Goes on until nothing is left on either side. `restoreUntil`: events up to there were in the shared log once and keep the
 * time they were recorded at.
 */
export const exchangeAll = (
  parts: Parts,
  tally: Tally,
  options: SyncOptions,
  restoreUntil = 0,
): Effect.Effect<void, Failed> =>
  Effect.gen(function* () {
    const { author, database } = parts
    let mayWrite: true | SyncError = true
    let hasAsked = false
    while (true) {
      // What waits is decided again where others were first, and what is said of it then has to be signed as it is.
      const keyless = yield* database.read((c) => (progress(c).pending > 0 ? keylessIn(c, author) : undefined))
      if (keyless !== undefined) return yield* keyless
      const next = yield* database.write((c) => attempt(c, () => prepare(c, author, restoreUntil, mayWrite === true)))
      if (isRefused(next)) return yield* refused(parts, next)
      const { page, state } = next
      if (author.signer !== undefined) author.sessions?.note(author.signer.id, page)
      const restoring = page.length > 0 && (page[page.length - 1] as EventRow)[0] <= restoreUntil
      const asked = yield* Effect.either(ask(parts, tally, state, page, restoring))
      if (Either.isLeft(asked)) {
        if (asked.left.reason !== "read-only" || page.length === 0) return yield* asked.left
        // Others' work is taken over all the same.
        mayWrite = asked.left as SyncError
        continue
      }
      const { answer, rows } = asked.right
      const stop = yield* takeOver(parts, tally, options, state.confirmed, { taken: answer.taken, rows })
      if (stop !== undefined) return yield* stopped(parts, stop)
      const { confirmed, pending } = yield* database.read(progress)
      yield* options.onProgress?.({ done: confirmed, total: answer.head }) ?? Effect.void
      const done = confirmed >= answer.head
      if (done && mayWrite !== true) return yield* mayWrite
      if (!done) continue
      // Once: what the shared log does not hear is not said again and again.
      if (!hasAsked && options.asks !== false) {
        const doubtful = yield* database.read((c) => rootsInDoubt(c, author, options.invite))
        if (doubtful !== undefined) return yield* doubtful
        const asked = yield* database.write((c) => attempt(c, () => askToJoin(c, author, options.invite)))
        if (isRefused(asked)) return yield* refused(parts, asked)
        hasAsked = asked
        if (hasAsked) continue
      }
      const withheld = yield* database.read((c) => withheldBy(c, author))
      // Somebody was faster: the request is made again, after what that one said.
      if (withheld !== undefined && (yield* database.read((c) => wishOf(c, confirmed).length > 0))) continue
      if (withheld !== undefined && (pending > 0 || author.signer !== undefined)) return yield* withheld
      if (pending === 0 || withheld !== undefined || !(yield* database.write((c) => hasNext(c, author)))) return
    }
  })

/** Takes over all that the shared log has, and pushes nothing. */
export const pullAll = (parts: Parts, tally: Tally): Effect.Effect<void, Failed> =>
  Effect.gen(function* () {
    const { database } = parts
    while (true) {
      const state = yield* database.read(readState)
      const { answer, rows } = yield* ask(parts, tally, state, [], false)
      const stop = yield* takeOver(parts, tally, {}, state.confirmed, { taken: answer.taken, rows })
      if (stop !== undefined) return yield* stopped(parts, stop)
      const { confirmed } = yield* database.read(progress)
      if (confirmed >= answer.head) return
    }
  })

const remoteOf = ({ remote }: Parts): string => remote.address

/** Nothing that follows can be judged here, so nothing of it is taken. */
const stopped = (parts: Parts, { detail, position, row, why }: Stop) =>
  Effect.map(writerOf(parts, claimedKey(row)), (writer) => {
    const said: Readonly<Record<Stop["why"], readonly [SyncError["reason"], string]>> = {
      newer: [
        "newer-schema",
        `what stands at position ${position} says who may write, in a way that only a newer version knows (${detail}); upgrade context on this machine`,
      ],
      root: [
        "new-root",
        `at position ${position} a machine began a root of this log; a person has to say whether it is the right one: context infra machine list shows it, context infra machine trust <fingerprint> accepts it; one that is not is turned down by context infra machine acknowledge --roots`,
      ],
      altered: [
        "protocol",
        `the data of the event at position ${position} is not the data that was written: it was changed there${writer}. Nothing from there on was taken over`,
      ],
    }
    const [reason, message] = said[why]
    return new SyncError({ reason, message: `${remoteOf(parts)}: ${message}` })
  }).pipe(Effect.flatten)

/** The machine that wrote it so, if its key is not in its hands any more: who has only the token can put nothing under that. */
const writerOf = ({ database }: Parts, key: string | undefined): Effect.Effect<string, StorageError> =>
  Effect.map(
    database.read((connection) => (key === undefined ? undefined : nameOf(connection, key))),
    (name) => (name === undefined ? "" : `, or whoever has the key of ${name} wrote it so`),
  )

/** Up to where both logs are the same, and how much waits here after that. */
export const progress = (connection: Connection) => {
  const confirmed = readState(connection).confirmed.position
  return { confirmed, pending: Math.max(0, readHead(connection).position - confirmed) }
}

/** Whether something waits that may be pushed. */
export const isPushable = (connection: Connection): boolean => {
  const { confirmed, pending } = progress(connection)
  if (pending === 0 || !mayPush(connection)) return false
  const held = heldFrom(connection)
  return held === undefined || hasFreeDecision(connection) || nextPage(connection, confirmed, 1, held).length > 0
}

/** What to push next: nothing while this machine may not, but its wish to join. */
const prepare = (connection: Connection, author: Author, restoreUntil: number, mayWrite: boolean) => {
  forgetKnown(connection)
  refuseOtherKeys(connection, author, restoreUntil)
  const state = readState(connection)
  const { position } = state.confirmed
  const limit = position < restoreUntil ? Math.min(pushed, restoreUntil - position) : pushed
  if (!mayWrite) return { state, page: [] }
  if (withheldBy(connection, author) !== undefined) return { state, page: wishOf(connection, position) }
  return { state, page: nextOf(connection, author, limit) }
}

/** What of this machine may be pushed next: nothing that it wrote after it left the log, or that touches what it does not know. */
const nextOf = (connection: Connection, author: Author, limit: number): ReadonlyArray<EventRow> => {
  decisionsFirst(connection, author)
  const held = heldFrom(connection) ?? Number.POSITIVE_INFINITY
  const last = lastWord(connection, author.signer?.id ?? "") ?? Number.POSITIVE_INFINITY
  const { position } = readState(connection).confirmed
  return nextPage(connection, position, limit, held).filter((row) => row[0] <= last)
}

const hasNext = (connection: Connection, author: Author): boolean => nextOf(connection, author, 1).length > 0

/** This machine's request to be enrolled, where that is what waits first. */
const wishOf = (connection: Connection, after: number): ReadonlyArray<EventRow> =>
  readTail(connection, after, 1).filter(isWish)

/** The next events of ours, by whole units: what was appended together arrives together. None from the one that `held` stands in. */
const nextPage = (connection: Connection, after: number, limit: number, held: number): ReadonlyArray<EventRow> => {
  const rows = readTail(connection, after, limit)
  const whole = [...units(rows.map(memberOf))]
  // The last unit may go on after the page.
  if (rows.length === limit) whole.pop()
  if (rows.length === limit && whole.length === 0) return nextPage(connection, after, limit * 2, held)
  const page: Array<EventRow> = []
  let bytes = 0
  for (const unit of whole) {
    if (unit.some(({ row }) => row[0] >= held)) break
    bytes += unit.reduce((sum, { row }) => sum + bytesOf(row), 0)
    if (page.length > 0 && bytes > pageBytes) break
    page.push(...unit.map(({ row }) => row))
  }
  return page
}

/** A row as one of a unit. What counts for nothing goes back with the rest, and need not be JSON. */
const memberOf = (row: EventRow) => ({
  type: row[4],
  signature: row[11],
  meta: { commandId: commandOf(row) ?? row[1] },
  row,
})

const commandOf = (row: EventRow): string | undefined => {
  try {
    return (JSON.parse(row[7]) as Meta).commandId
  } catch {
    return undefined
  }
}

/** Takes what came over, in strides where nothing of ours has to be put after it. */
const takeOver = (
  parts: Parts,
  tally: Tally,
  { onRejected }: SyncOptions,
  start: Place,
  brought: Pick<Answer, "taken" | "rows">,
) =>
  Effect.gen(function* () {
    const { author, database } = parts
    let { rows, taken } = brought
    let from = start
    do {
      const part = rows.slice(0, strideOf(rows))
      const members = yield* database.read((connection) => readMembership(connection, from.position))
      const verified = yield* Effect.promise(() => verifyAhead(part, members))
      const step = yield* database.write((connection) => {
        const alone = readHead(connection).position === from.position
        const next = alone ? part : rows
        const brought = { taken, rows: next }
        const advanced = attempt(connection, () => advance(connection, from, brought, author, verified))
        return { advanced, count: next.length, confirmed: readState(connection).confirmed }
      })
      if (isRefused(step.advanced)) return yield* refused(parts, step.advanced)
      tally.add(step.advanced)
      if (onRejected !== undefined) yield* Effect.forEach(tally.untold, onRejected, { discard: true })
      const { stop } = step.advanced
      if (stop?.why === "root") yield* database.write((connection) => notePending(connection, stop.row))
      if (stop !== undefined) return stop
      rows = rows.slice(step.count)
      taken = []
      from = step.confirmed
      // Timers and sockets get their turn, too.
      if (rows.length > 0) yield* Effect.sleep(0)
    } while (rows.length > 0)
    return undefined
  })

/** How many rows make a step: whole units, which one signature spans. */
const strideOf = (rows: ReadonlyArray<EventRow>): number =>
  rows.length <= stride ? rows.length : endOfRun(rows, stride - 1)

/** Where the chain breaks, or a decision would go, nothing of the step is done. */
const refusals = [BrokenChain, MisplacedRoot, Displaced, Squatted]
type Refused = BrokenChain | MisplacedRoot | Displaced | Squatted

const attempt = <A>(connection: Connection, step: () => A): A | Refused => {
  connection.prepare("SAVEPOINT step").run()
  try {
    const done = step()
    connection.prepare("RELEASE step").run()
    return done
  } catch (error) {
    if (!isRefused(error)) throw error
    connection.prepare("ROLLBACK TO step").run()
    connection.prepare("RELEASE step").run()
    return error
  }
}

const isRefused = (found: unknown): found is Refused => refusals.some((refusal) => found instanceof refusal)

const refused = (parts: Parts, why: Refused): Effect.Effect<never, SyncError | StorageError> => {
  const { position } = why
  if (why instanceof BrokenChain)
    return Effect.flatMap(
      writerOf(parts, why.key),
      (writer) =>
        new SyncError({
          reason: "protocol",
          message: `${remoteOf(parts)}: the chain breaks at position ${position}: the event there is not the one that was written${writer}. Nothing of it was taken over`,
        }),
    )
  return new SyncError({
    reason: "damaged",
    message: `${remoteOf(parts)}: ${doing(why)}. Nothing of it was taken over; all that is known here is kept. What leads on: ${outOfDamage}`,
  })
}

const doing = (why: MisplacedRoot | Displaced | Squatted): string => {
  const { position } = why
  if (why instanceof MisplacedRoot)
    return `others wrote where ${why.name} began the root that this machine goes by (position ${position} here), and only ${why.name} can put it after that: context infra sync heal there comes first, and then here`
  const putBack = "the shared log was put back to before decisions about who may write"
  return why instanceof Squatted
    ? `${putBack}, and somebody took the id of a ${why.what} there (position ${position}), so that its own machine alone can write it anew`
    : `${putBack}, and ${why.name} wrote there (position ${position}), who may not do that after them`
}
