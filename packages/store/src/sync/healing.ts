/** `sync heal`: the shared log gets back what it lost, and what somebody changed of it is put right. */
import { type StorageError, SyncError } from "@context-engine/core/Errors"
import type { SyncOptions } from "@context-engine/core/services/Sync"
import { outOfDamage } from "@context-engine/core/services/sync/wayOut"
import { count } from "@context-engine/core/words"
import * as Effect from "effect/Effect"
import type { Connection } from "../connection.js"
import type { Database } from "../Database.js"
import { columns, type EventRow, type StoredRow, stored } from "../record.js"
import { hashAt } from "../standing.js"
import { withoutAdvice } from "./answers.js"
import type { Parts, Tally } from "./asking.js"
import type { Author } from "./author.js"
import { placesOf } from "./comparing.js"
import { type Met, meet } from "./contact.js"
import { withheldBy } from "./enrolling.js"
import { exchangeAll } from "./exchangeAll.js"
import type { Mine } from "./restoring.js"
import { bind, note, readState, type State, setUnknown } from "./state.js"

type Failed = SyncError | StorageError

/** Gives back what was lost: what both still have is the common ground, and all that follows here is pushed again. */
export const heal = (parts: Parts, tally: Tally, options: SyncOptions, logId: string): Effect.Effect<void, Failed> =>
  Effect.gen(function* () {
    yield* repair(parts, logId)
    const state = yield* parts.database.read(readState)
    yield* healEvents(parts, tally, options, state, logId)
  }).pipe(
    Effect.catchTag("SyncError", (error) =>
      error.reason === "protocol" || error.reason === "rolled-back" ? beyondRepair(error.message) : error,
    ),
  )

/** What cannot be put right in its place: the words say what leads on from there. */
const beyondRepair = (what: string): SyncError =>
  new SyncError({
    reason: "damaged",
    message: `${withoutAdvice(what)}. It cannot be put right where it is, and all that is known here is kept as it was. What leads on: ${outOfDamage}`,
  })

/** Puts right what somebody changed of the shared log's tables, where its events are still those of this log. */
const repair = ({ database, remote }: Parts, logId: string): Effect.Effect<void, Failed> =>
  Effect.gen(function* () {
    const first = yield* database.read((connection) => hashAt(connection, 1))
    const done = first === undefined ? [] : yield* remote.repair({ logId, first })
    yield* noteHealed(database, "somebody had changed the shared log's tables", done)
  })

const healEvents = (parts: Parts, tally: Tally, options: SyncOptions, state: State, logId: string) =>
  Effect.gen(function* () {
    const { author, database, remote } = parts
    yield* restore(parts, logId, state.confirmed.position)
    const met = yield* meet(database, remote, author.signer?.id)
    // Only what goes back to its own place keeps its time.
    const restoreUntil = met.remoteEvents === met.common ? state.confirmed.position : 0
    const exchange = exchangeAll(parts, tally, options, met.state === "foreign" ? 0 : restoreUntil)
    if (met.state !== "rolled-back" && met.state !== "reset") return yield* exchange
    if (met.state === "reset") {
      yield* mayGiveBack(database, author, remote.address)
      yield* remote.create(logId)
    }
    yield* database.write((connection) => bind(connection, logId, met.place))
    yield* Effect.tapError(exchange, (error) =>
      broughtOver.has(error.reason) ? noteLost(database, options, state, met) : putBack(database, state),
    )
    yield* noteLost(database, options, state, met)
  })

/** Where nothing is left, there is nobody to let a machine in either: one that may write has to come first. */
const mayGiveBack = (database: Database["Type"], author: Author, address: string): Effect.Effect<void, Failed> =>
  Effect.gen(function* () {
    if ((yield* database.read((connection) => withheldBy(connection, author))) === undefined) return
    const message = `${address}: the shared log is empty, and this machine may not write to it: context infra sync heal on a machine that is enrolled comes first, and then here`
    return yield* new SyncError({ reason: "not-enrolled", message })
  })

/** Writes again what somebody took away or changed of the events themselves. */
const restore = ({ database, remote }: Parts, logId: string, until: number): Effect.Effect<void, Failed> =>
  Effect.gen(function* () {
    const { done, others } = yield* remote.restore(mineOf(database, logId, until))
    yield* noteHealed(database, "somebody had changed the shared log's events", done)
    if (others.length > 0)
      return yield* beyondRepair(
        `${remote.address}: another event than the one that was written stands among those of this log (${placesOf(others)}), and was left as it is`,
      )
  })

const mineOf = (database: Database["Type"], logId: string, until: number): Mine => {
  const asked = <A>(sql: string, ...values: ReadonlyArray<unknown>) =>
    database.read((connection) => connection.prepare(`${sql} ORDER BY position`).all(...values) as ReadonlyArray<A>)
  return {
    logId,
    until,
    range: (after, to) =>
      asked<StoredRow>(`SELECT ${stored} FROM events WHERE position > ? AND position <= ?`, after, to),
    places: (after, to) =>
      Effect.map(
        asked<readonly [number, string, string]>(
          "SELECT position, id, hash FROM events WHERE position > ? AND position <= ?",
          after,
          to,
        ),
        (rows) => rows.map(([position, id, hash]) => ({ position, id, hash })),
      ),
    at: (positions) =>
      asked<EventRow>(
        `SELECT ${columns} FROM events WHERE position IN (SELECT value FROM json_each(?))`,
        JSON.stringify(positions),
      ),
    hashes: (ids) =>
      Effect.map(
        asked<readonly [string, string]>(
          "SELECT id, hash FROM events WHERE id IN (SELECT value FROM json_each(?)) AND position <= ?",
          JSON.stringify(ids),
          until,
        ),
        (rows) => new Map(rows),
      ),
  }
}

const noteHealed = (database: Database["Type"], what: string, done: ReadonlyArray<string>) =>
  done.length === 0
    ? Effect.void
    : database.write((connection) => note(connection, { at: now(), what: "healed", detail: `${what}: ${done.join("; ")}` })) // biome-ignore format: one line

/** What an exchange may end with after it brought over what it could: the rest goes on from there. */
const broughtOver: ReadonlySet<string> = new Set(["offline", "not-enrolled", "no-root", "read-only"])

const noteLost = (
  database: Database["Type"],
  { moving = false }: SyncOptions,
  { confirmed }: State,
  { common }: Met,
) => {
  const had = `${common} of ${count(confirmed.position, "event")}`
  const [what, detail] = moving
    ? (["connected", `to another server, which had ${had}`] as const)
    : (["healed", `the shared log had kept ${had}`] as const)
  return database.write((connection) => note(connection, { at: now(), what, detail }))
}

/** Where the exchange could not go on, this file knows of the shared log what it knew before. */
const putBack = (database: Database["Type"], before: State): Effect.Effect<void, StorageError> =>
  database.write((connection) => {
    if (!stillHas(connection, before)) return
    bind(connection, before.logId, before.confirmed)
    setUnknown(connection, before.unknown)
  })

/** Unless what was taken over meanwhile has another event there. */
const stillHas = (connection: Connection, { confirmed }: State): boolean =>
  readState(connection).confirmed.position < confirmed.position &&
  hashAt(connection, confirmed.position) === confirmed.hash

const now = () => new Date().toISOString()
