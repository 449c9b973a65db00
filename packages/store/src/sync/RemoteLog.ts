/** Port: the log that all machines share, wherever it is kept. */

import { SyncError } from "@context-engine/core/Errors"
import type { Side } from "@context-engine/core/services/Sync"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { remoteSchemaVersion } from "../schema.js"
import * as Answers from "./answers.js"
import { portraitStatements, readPortrait } from "./portrait.js"
import * as Protocol from "./protocol.js"
import * as Repair from "./repair.js"
import { type Restore, restoreWith } from "./restoring.js"

/** Runs statements there as one transaction, in one round trip. `null`: a table or a column that should be there is not. */
export type Batch = (
  statements: ReadonlyArray<Protocol.Statement>,
  mode: "read" | "write",
) => Effect.Effect<ReadonlyArray<Protocol.Rows> | null, SyncError>

/** What is there before anything is exchanged. */
export type Survey =
  | { readonly _tag: "Empty" }
  | {
      readonly _tag: "Log"
      readonly logId: string
      readonly head: number
      readonly hashes: ReadonlyMap<number, string>
    }

export class RemoteLog extends Context.Tag("@context-engine/store/RemoteLog")<
  RemoteLog,
  {
    /** The address, without anything secret. */
    readonly address: string
    /** Pushes and learns in one round trip; `undefined` where there is no log (any more). */
    readonly exchange: (exchange: Protocol.Exchange) => Effect.Effect<Protocol.Answer | undefined, SyncError>
    /** Makes the log, unless someone was faster. */
    readonly create: (logId: string) => Effect.Effect<void, SyncError>
    /** Looks at the log and its hashes at some positions. Fails as `foreign` where something else is kept. */
    readonly survey: (positions: ReadonlyArray<number>) => Effect.Effect<Survey, SyncError>
    /**
     * Puts right what somebody changed of its tables, where its events begin as ours do. Gives what that was, in words; nothing
     * where it is as it should be, or where there is no log at all.
     */
    readonly repair: (log: Known) => Effect.Effect<ReadonlyArray<string>, SyncError>
    /** Writes events again that are not there as they were written, up to the last that both logs have. */
    readonly restore: Restore
    /** What it is about, for a person. */
    readonly portrait: Effect.Effect<Side, SyncError>
  }
>() {}

/** A log as this machine knows it: its name, and the hash of its first event. */
export interface Known {
  readonly logId: string
  readonly first: string
}

/** The shared log behind a way to run batches. What those give is checked here, and trusted from here on. */
export const make = (address: string, run: Batch): RemoteLog["Type"] => {
  const batch: Batch = (statements, mode) =>
    Effect.filterOrFail(
      run(statements, mode),
      (found) => found === null || found.length === statements.length,
      (found) => Answers.untrue(address, `${found?.length} results for ${statements.length} questions`),
    )
  const survey = (positions: ReadonlyArray<number>): Effect.Effect<Survey, SyncError> =>
    Effect.gen(function* () {
      const [about = [], hashes = []] = (yield* batch(Protocol.surveyStatements(positions), "read")) ?? []
      const state = yield* Answers.readState(address, about)
      if (state !== undefined) {
        const { head, logId } = state
        return { _tag: "Log", logId, head, hashes: yield* Answers.readHashes(address, hashes, positions) }
      }
      const [tables = []] = (yield* batch([Protocol.inspectStatement], "read")) ?? []
      if ((yield* Answers.readCount(address, tables)) === 0) return { _tag: "Empty" }
      const message = `what is kept at ${address} is the database of some other program; nothing was written there. Name an empty one`
      return yield* new SyncError({ reason: "foreign", message })
    })
  /** Whether there is a log of today's schema, which one of the first is made. */
  const upgraded = Effect.gen(function* () {
    const found = yield* batch(Protocol.surveyStatements([]), "read")
    const schema = found?.[0]?.[0]?.[1]
    if (schema !== 1) return schema === remoteSchemaVersion
    yield* batch(Protocol.upgradeStatements, "write").pipe(
      // Another machine may have been faster.
      Effect.catchAll((error) =>
        Effect.flatMap(batch(Protocol.surveyStatements([]), "read"), (again) =>
          again?.[0]?.[0]?.[1] === 1 ? Effect.fail(error) : Effect.void,
        ),
      ),
    )
    return true
  })
  const brought: Batch = (statements, mode) =>
    Effect.gen(function* () {
      const found = yield* batch(statements, mode)
      if (found !== null || !(yield* upgraded)) return found
      return (yield* batch(statements, mode)) ?? (yield* Answers.untrue(address, "events without what belongs to them"))
    })
  return RemoteLog.of({
    address,
    survey,
    repair: repairWith(address, batch),
    restore: restoreWith(address, brought),
    portrait: Effect.map(batch(portraitStatements, "read"), (found) => readPortrait(found ?? [])),
    exchange: (exchange) =>
      Effect.gen(function* () {
        const mode = exchange.push.length > 0 ? "write" : "read"
        const asked = (asBytes: boolean) =>
          Effect.gen(function* () {
            const statements = Protocol.exchangeStatements(exchange, asBytes)
            const found = yield* brought(statements, mode)
            return found === null ? undefined : yield* Answers.readAnswer(address, found, exchange, asBytes)
          })
        return yield* asked(false).pipe(
          // What was taken already is not taken twice: it is asked for again, as bytes.
          Effect.catchIf(isServers, (error) => Effect.mapError(asked(true), () => error)),
        )
      }),
    create: (logId) =>
      batch(Protocol.createStatements(logId), "write").pipe(
        Effect.catchAll((error) =>
          // Two machines may come first at once: the second finds the first's.
          Effect.flatMap(survey([]), (found) => (found._tag === "Log" ? Effect.void : error)),
        ),
        Effect.asVoid,
      ),
  })
}

/** The server could not answer, and that may be because of what it was to tell. */
const isServers = ({ message, reason }: SyncError): boolean => reason === "offline" && /\(HTTP 5\d\d\)/.test(message)

const repairWith = (address: string, batch: Batch) => (log: Known) =>
  Effect.gen(function* () {
    const objects = Repair.objectsOf((yield* batch([Repair.objectsStatement], "read"))?.[0] ?? [])
    const has = (name: string) => objects.some((object) => object.type === "table" && object.name === name)
    const [about, first] = Repair.identityStatements as [Protocol.Statement, Protocol.Statement]
    const [columns = []] = (yield* batch([Repair.columnsStatement], "read")) ?? []
    const misfit = Repair.misfitOf(
      objects,
      columns.map(([name]) => String(name)),
    )
    // Another program may have a table of that name.
    if (misfit !== undefined && Repair.hasName(objects))
      return yield* new SyncError({ reason: "protocol", message: `${address}: ${misfit}` })
    if (!has("events")) {
      // A name with no log to it: then the log is gone, and made again.
      if (!Repair.hasName(objects)) return []
      yield* batch([{ sql: "DROP TABLE log", args: [] }], "write")
      return ["what was left of a log was taken away"]
    }
    const [names = []] = (has("log") ? yield* batch([about], "read") : undefined) ?? []
    const [[beginning = []] = []] = (yield* batch([first], "read")) ?? []
    if (beginning[0] !== undefined && beginning[0] !== log.first) return []
    const schema = objects.some(({ name, sql }) => name === "events" && sql.includes("digest TEXT"))
      ? remoteSchemaVersion
      : 1
    const repairs = [
      ...Repair.repairsOfIndexes(objects),
      ...Repair.repairsOfTriggers(objects),
      ...Repair.repairsOfName(objects, names, log.logId, schema),
    ]
    if (repairs.length > 0)
      yield* batch(
        repairs.flatMap(({ statements }) => statements),
        "write",
      )
    return repairs.map(({ what }) => what)
  })
