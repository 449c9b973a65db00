/** What a shared log answers, held against what it was asked, before anything of it is used. */
import { SyncError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import { isCount, isEventRow, isText } from "../kinds.js"
import { columns, type EventRow, isLonger, mostRefusal } from "../record.js"
import { remoteSchemaVersion } from "../schema.js"
import { type Answer, type Exchange, mostOf, type Rows } from "./protocol.js"

/** What it says of itself: the same in every answer. */
export type State = Omit<Answer, "taken" | "rows">

/** Something that no shared log says. */
class Lie {
  constructor(readonly what: string) {}
}

/** Reads what it says of itself. Fails as `newer-schema` where only a newer version can read the rest. */
export const readState = (address: string, rows: Rows): Effect.Effect<State | undefined, SyncError> =>
  checked(address, () => {
    const [found, ...others] = rows
    require(others.length === 0, `${rows.length} logs in the place of one`)
    if (found === undefined) return undefined
    const [logId, schema, head, hashAtFrom, now] = found
    require(found.length === 5, `${found.length} columns about itself`)
    require(isText(logId) && logId !== "" && logId.length <= 200, "a log without a name")
    require(isCount(schema), "no version of its schema")
    require(isLength(head), "no length")
    require(hashAtFrom === null || isText(hashAtFrom), "no hash")
    require(isTime(now), "no time")
    return { logId, schema, head, hashAtFrom, now }
  }).pipe(Effect.tap((state) => (state === undefined ? Effect.void : checkSchema(state.schema))))

/** Reads the answer to an exchange, whose texts may be told as bytes; `undefined` if there is no log. */
export const readAnswer = (
  address: string,
  results: ReadonlyArray<Rows>,
  asked: Exchange,
  asBytes = false,
): Effect.Effect<Answer | undefined, SyncError> => {
  const [about = [], times = [], found = []] = results.slice(-3)
  const rows = asBytes ? found.map(fromBytes) : found
  return Effect.flatMap(readState(address, about), (state) =>
    checked(address, () => {
      if (state === undefined) return undefined
      const answer = { ...state, taken: takenOf(times, asked), rows: rowsOf(rows, asked) }
      if (answer.hashAtFrom === asked.from.hash) checkProgress(answer, asked)
      return answer
    }),
  )
}

/**
 * An event whose texts were told as bytes. What is no text becomes one, which may be longer: one that an event cannot have is left
 * out, as it is where it was so long before.
 */
export const fromBytes = (row: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  row.map((value, index) => (isBytes(value) ? textOf(names[index] ?? "", Buffer.from(value as ArrayBuffer)) : value))

const names = columns.split(", ")

const isBytes = (value: unknown): boolean => value instanceof ArrayBuffer || ArrayBuffer.isView(value)

const textOf = (column: string, bytes: Buffer): string => {
  const text = bytes.toString("utf8")
  const isTooLong = column === "data" ? isLonger(text, mostRefusal) : Buffer.byteLength(text) > mostOf(column)
  return isTooLong ? "" : text
}

/** Reads hashes at positions, of which it may lack some. */
export const readHashes = (
  address: string,
  rows: Rows,
  asked: ReadonlyArray<number>,
): Effect.Effect<ReadonlyMap<number, string>, SyncError> =>
  checked(address, () => {
    const positions = new Set(asked)
    const hashes = new Map<number, string>()
    for (const row of rows) {
      const [position, hash] = row
      require(row.length === 2 && isCount(position) && isText(hash), "a hash of another kind")
      require(positions.delete(position), "a hash that nobody asked for")
      hashes.set(position, hash)
    }
    return hashes
  })

/** A single whole number from zero on. */
export const readCount = (address: string, rows: Rows): Effect.Effect<number, SyncError> =>
  checked(address, () => {
    const count = rows[0]?.[0]
    require(rows.length === 1 && isLength(count), "no number")
    return count
  })

/** What to do about a server of ours that is not in order. */
export const repairable =
  "If the address is right, context infra sync heal puts right what somebody changed of its tables"
/** What to do about a log that lost something. */
export const givesBack = "context infra sync heal gives it back what it lost"

/** What went wrong, without what a person is advised to do about it. */
export const withoutAdvice = (message: string): string =>
  [repairable, givesBack].reduce((rest, advice) => rest.replace(advice, ""), message).replace(/[.\s]+$/, "")

/** A failure because of what it answered. */
export const untrue = (address: string, what: string): SyncError => {
  const message = `${address} does not answer as a shared log does: it gives ${what}. Nothing of it was taken over. ${repairable}`
  return new SyncError({ reason: "protocol", message })
}

const checked = <A>(address: string, read: () => A): Effect.Effect<A, SyncError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(read())
    } catch (error) {
      if (error instanceof Lie) return untrue(address, error.what)
      throw error
    }
  })

function require(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Lie(what)
}

const isLength = (value: unknown): value is number => value === 0 || isCount(value)

/** As SQLite writes one: with milliseconds, in UTC. */
export const isTime = (value: unknown): value is string =>
  isText(value) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) && Number.isFinite(Date.parse(value))

/** What was pushed is there whole, or not at all. */
const takenOf = (rows: Rows, { from, push }: Exchange): Answer["taken"] => {
  require(rows.length === 0 ||
    rows.length === push.length, `times of ${rows.length} events where ${push.length} were pushed`)
  return rows.map((row, index) => {
    const [position, recordedAt] = row
    require(row.length === 2 && position === from.position + 1 + index, "times of other events than were pushed")
    require(isTime(recordedAt), "an event without a time")
    return [position, recordedAt] as const
  })
}

const rowsOf = (rows: Rows, { limit }: Exchange): ReadonlyArray<EventRow> => {
  require(rows.length <= limit, `${rows.length} events where ${limit} were asked for`)
  require(rows.every(isEventRow), "an event with columns of another kind")
  return rows as ReadonlyArray<EventRow>
}

/** Every answer brings both logs closer together, or says that they are the same: else it would be asked without end. */
const checkProgress = ({ head, logId, rows, taken }: Answer, { from, limit, logId: known, push }: Exchange): void => {
  const start = from.position + taken.length
  require(rows.every((row, index) => row[0] === start + 1 + index), "events that do not follow each other")
  const end = start + rows.length
  require(head >= end, `a length of ${head} and events beyond it`)
  if (limit > 0) require(rows.length > 0 || head === start, `a length of ${head} and none of the events after ${start}`)
  const refused = push.length > 0 && taken.length === 0 && rows.length === 0
  require(!refused || logId !== known, "no reason why it did not take what was pushed")
}

const checkSchema = (schema: number): Effect.Effect<void, SyncError> => {
  if (schema <= remoteSchemaVersion) return Effect.void
  const message = `the shared log says that a newer context made it (schema ${schema}, this one knows ${remoteSchemaVersion}); nothing was pushed: upgrade this one. If there is none, somebody changed that number there: an empty database in its place, and then context infra sync heal on each machine, leads on`
  return new SyncError({ reason: "newer-schema", message })
}
