/** The audit of a log in a local file. */

import { InvalidInput, StorageError } from "@context-engine/core/Errors"
import { EventLog } from "@context-engine/core/EventLog"
import { cutOf } from "@context-engine/core/services/AsOf"
import { Audit, type AuditReport, type Progress, type Taken } from "@context-engine/core/services/Audit"
import { spanMillis } from "@context-engine/core/Time"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { auditOn } from "./auditOn.js"
import { type Connection, storageError } from "./connection.js"
import { copyInto, makeWhole } from "./copies.js"
import { isAhead } from "./cut.js"
import { Database, layer as databaseLayer, openConnection } from "./Database.js"
import { decodeLine, encodeLine } from "./exchange.js"
import { OwnSchema } from "./fileSchema.js"
import { goOnFromHere } from "./goOn.js"
import { refuseReplay } from "./mayWrite.js"
import { rebuildOn } from "./rebuildOn.js"
import { clashes, columns, type EventRow, notYet } from "./record.js"
import { hear } from "./restate.js"
import { findSigner } from "./Signer.js"
import { readHead } from "./standing.js"
import { readState } from "./sync/state.js"
import { type Replay, takeOver } from "./takeOver.js"
import { readDecided, readTurnedDown } from "./trust/decided.js"
import { readInert } from "./trust/verdicts.js"
import type { Walk } from "./verify.js"
import { damageIn } from "./verifyFile.js"
import { readSetting } from "./verifySetting.js"

const pageSize = 1_000

export interface Options {
  /** The file with this machine's key, or the key itself: a root that it began is the right one in a log that is taken over. */
  readonly keyPath?: string
}

/** The audit of the log in the local database. */
export const layerWith = ({ keyPath }: Options): Layer.Layer<Audit, never, Database | EventLog> =>
  Layer.effect(
    Audit,
    Effect.gen(function* () {
      const database = yield* Database
      const log = yield* EventLog

      /** This machine's key. One that cannot be used is told of when it is to sign. */
      const signerThere = Effect.orElseSucceed(
        Effect.try(() => (keyPath === undefined ? undefined : findSigner(keyPath))),
        () => undefined,
      )

      const verify = Effect.fn("Audit.verify")(function* (onProgress?: (progress: Progress) => Effect.Effect<void>) {
        const started = performance.now()
        const schema = yield* OwnSchema
        const loss = yield* database.memory.look
        const { rows = 0, walk } = yield* Effect.scoped(
          Effect.flatMap(database.dedicated, (connection) => auditOn(connection, { own: schema, onProgress })),
        ).pipe(Effect.mapError((cause) => storageError(database.path, cause)))
        yield* database.check
        if (loss !== null) walk.findings.unshift({ kind: "loss", position: null, message: loss.message })
        return report(walk, { rows, duration: (performance.now() - started) / 1000, own: (yield* signerThere)?.id })
      })

      /** What this machine's key or memory accepts needs no other word. Gives how many of the last events count for nothing then. */
      const heard = ({ events }: Taken) =>
        Effect.gen(function* () {
          const roots = yield* database.memory.missingRoots
          const signer = yield* signerThere
          return yield* database.write((connection): Taken => {
            const turnedDown = readTurnedDown(connection)
            hear(connection, { roots, turnedDown, signer, measured: readState(connection).measured })
            return { events, inert: readInert(connection, readHead(connection).position - events).size }
          })
        })

      return Audit.of({
        verify,
        loss: database.memory.look,
        // What the file signed and lacks may be in the shared log, or nowhere: it goes on with a chain of its own.
        accept: Effect.gen(function* () {
          // What is written into a damaged file makes it worse, and what lies beside it may be whole.
          const damage = yield* database.read((connection) => damageIn(connection))
          if (damage !== undefined) return yield* damaged(database.path, damage)
          const loss = yield* database.memory.look
          // Rows of events that are gone belong to nothing.
          if (yield* database.read(isAhead)) {
            yield* Effect.scoped(Effect.flatMap(database.dedicated, (connection) => rebuildOn(connection)))
          }
          if (loss !== null) yield* database.write(goOnFromHere)
          yield* database.memory.accept
          return loss
        }),
        export: Stream.mapConcat(atOneMoment(database), (found) => found.map((row) => encodeLine(row))),
        import: (lines) =>
          Effect.scoped(
            Effect.flatMap(database.dedicated, (connection) =>
              Effect.zipRight(refuseImport(connection), takeOver(connection, Stream.mapEffect(lines, decodeLine))),
            ),
          ).pipe(Effect.flatMap(heard)),
        replay: Effect.fn("Audit.replay")(function* (moment: string, into: string) {
          const { skip, until } = yield* cutOf(log, moment, { field: "moment" })
          const events = Stream.mapConcat(atOneMoment(database, until), (found) => found)
          const { decided, replay } = yield* database.read((connection) => ({
            decided: readDecided(connection),
            replay: replayOf(connection, moment, until, skip),
          }))
          // Folded in a file of its own; all of it goes into one, for programs that know nothing of the one beside it.
          const fill = (draft: string) =>
            Effect.flatMap(openConnection(`${draft}.work`), (connection) =>
              Effect.zipRight(
                takeOver(connection, events, { decided, replay }),
                Effect.try({
                  try: () => copyInto(connection, draft),
                  catch: (cause) => storageError(into, cause),
                }),
              ),
            ).pipe(Effect.scoped, Effect.provide(databaseLayer(`${draft}.work`)))
          yield* makeWhole(into, fill)
          return until
        }),
      })
    }),
  )

export const layer = layerWith({})

const damaged = (path: string, damage: string) =>
  new StorageError({
    reason: "corrupt",
    message: `${path}: ${damage}; nothing was given up and nothing was written: context infra restore <backup>`,
  })

/** What machines share, each takes from the shared log: beside that an import would make a second account of it. */
const refuseImport = (connection: Connection) =>
  Effect.try({
    try: () => {
      const setting = readSetting(connection)
      refuseReplay(setting)
      if (setting.confirmed !== undefined) throw sharedAlready
    },
    catch: (error) => error as InvalidInput | StorageError,
  })

const sharedAlready = new InvalidInput({
  field: "",
  reason:
    "this log is shared with other machines, and gets its events from them (context infra sync now); import into a file of its own (--db)",
})

/** What a file is told that shows the log up to a position without some of its events. */
const replayOf = (connection: Connection, moment: string, until: number, skip: ReadonlySet<number>): Replay => {
  const [recorded] = connection.prepare("SELECT recorded FROM sync").get()
  const left = new Map<number, string>([...skip].map((position) => [position, notYet]))
  const own = connection.prepare("SELECT position, reason FROM inert WHERE reason IN (?, ?)").all(clashes, notYet)
  for (const [position, reason] of own) left.set(position, reason)
  return { moment: inWords(moment, until), left, recorded: Math.min(recorded, until) }
}

/** A moment as it can be read later: what is counted from now is not. */
const inWords = (moment: string, until: number): string => {
  const now = new Date().toISOString()
  if (/^\d+$/.test(moment)) return `position ${until}`
  if (moment === "now") return now
  return spanMillis(moment) === undefined ? moment : `${moment} before ${now}`
}

type Read = <A>(body: (connection: Connection) => A) => Effect.Effect<A, StorageError>

/** The rows of the log up to a position, page by page. */
const pages = (read: Read, until: number): Stream.Stream<ReadonlyArray<EventRow>, StorageError> =>
  Stream.unfoldEffect(0, (after) =>
    Effect.map(
      read(
        (connection) =>
          connection
            .prepare(
              `SELECT ${columns} FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ${pageSize}`,
            )
            .all(after, until) as ReadonlyArray<EventRow>,
      ),
      (found) => {
        const last = found[found.length - 1]
        return last === undefined ? Option.none() : Option.some([found, last[0]] as const)
      },
    ),
  )

/**
 * The same as the log is at one moment, whatever is done to it meanwhile: between two pages its end may be put after others'
 * events. It is a transaction that reads, on a connection of its own, so nobody waits for it.
 */
const atOneMoment = (database: Database["Type"], until = Number.MAX_SAFE_INTEGER) =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const connection = yield* database.dedicated
      const read: Read = (body) =>
        Effect.try({ try: () => body(connection), catch: (cause) => storageError(database.path, cause) })
      yield* read(({ exec }) => exec("BEGIN"))
      return pages(read, until)
    }),
  )

/** The name of the machine that is the log's root; `null` for an unsigned log, and one older than roots. */
const rootOf = ({ membership }: Walk): string | null =>
  membership.root === null ? null : (membership.machines.get(membership.root.machineId)?.name ?? null)

interface Taking extends Pick<AuditReport, "duration" | "rows"> {
  /** The id of this machine's key. */
  readonly own: string | undefined
}

const report = (walk: Walk, { duration, own, rows }: Taking): AuditReport => ({
  ok: walk.findings.length === 0,
  events: walk.events,
  rows,
  signed: walk.signed,
  unsigned: walk.unsigned,
  withheld: [...walk.withheld.values()].map((one) => ({ ...one, own: one.machineId === own })),
  root: rootOf(walk),
  inert: walk.inert.length,
  replayed: walk.setting.replayed,
  machines: [...walk.machines.values()].map(({ events, machineId, name }) => ({
    machineId,
    // As it is called now: it may have been renamed since it last wrote.
    name: walk.membership.machines.get(machineId)?.name ?? name,
    events,
  })),
  unknownTypes: walk.unknownTypes,
  findings: walk.findings,
  head: walk.head,
  duration,
})
