/** What a person does about commands that were refused: gives them again, or lets them go. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { canonicalJson } from "../../CanonicalJson.js"
import { machinesStream } from "../../domain/Machine.js"
import { type Original, RejectionSettled, rejection } from "../../domain/Rejection.js"
import { type Ambiguous, InvalidInput, type NotFound, type StorageError } from "../../Errors.js"
import type { Meta, Recorded } from "../../Event.js"
import type { EventLog, NewEvent, StreamAppend } from "../../EventLog.js"
import { Fold } from "../../Fold.js"
import * as Id from "../../Id.js"
import { Origin } from "../../Origin.js"
import type { ReadModels, View } from "../../ReadModels.js"
import type { RejectionRow } from "../../views/rejections.js"
import { findById } from "../names.js"
import { calledNow } from "./calledNow.js"
import { decisive } from "./entities.js"
import { redecide } from "./redecide.js"
import { refuseElsewhere, tellerOf } from "./saysLocal.js"

/** `own` is the key of this machine, if it has one. */
export const makeSettling = (
  models: ReadModels["Type"],
  log: EventLog["Type"],
  own: Effect.Effect<string | undefined>,
) => {
  const open = (id: string): Effect.Effect<RejectionRow, NotFound | Ambiguous | InvalidInput | StorageError> =>
    Effect.gen(function* () {
      const row = yield* findById("refused command", models.rejections, id)
      if (row.status === "open") return row
      const reason = row.status === "moot" ? "there was nothing left to do" : `it was ${row.status} already`
      return yield* new InvalidInput({ field: "", reason: `${row.what}: ${reason}` })
    })

  const settle = (named: string, how: "retried" | "dropped") =>
    Effect.gen(function* () {
      const head = yield* log.head
      const rebases = yield* log.rebases
      const row = yield* open(named)
      const { id } = row
      const commandId = yield* Id.make
      const meta: Meta = { ...(yield* Origin), commandId, cause: row.commandId }
      if (how === "retried") yield* refuseThere(log, row)
      const key = yield* own
      if (how === "retried") yield* refuseElsewhere(log, row, key)
      const again = how === "retried" ? yield* given(models, row, { meta, key }) : []
      const settled = RejectionSettled({ what: row.what, how, commandId: how === "retried" ? commandId : null })
      const told: StreamAppend = {
        stream: `${rejection.name}-${id}`,
        expected: "any",
        events: [yield* envelope({ ...settled, schema: RejectionSettled.schema }, meta)],
      }
      yield* log.append([...again, told], { head, rebases })
      return (yield* models.rejections.get(id)) as RejectionRow
    }).pipe(Effect.retry({ while: (error) => error._tag === "VersionConflict", times: 10, schedule }))

  /** Whether this machine said that it could not stand: others' rejections are theirs to settle. */
  const isOwn = (row: RejectionRow, key: string | undefined) =>
    Effect.gen(function* () {
      const teller = yield* tellerOf(log, row.id)
      return teller === undefined ? row.machine === (yield* Origin).machine : teller === key
    })

  return {
    rejectedHere: Effect.gen(function* () {
      const key = yield* own
      const open = (yield* models.rejections.list()).filter(({ status }) => status === "open")
      const found = yield* Effect.filter(open, (row) => isOwn(row, key))
      const given = ({ givenAt, id }: RejectionRow) => `${givenAt} ${id}`
      const sorted = found.sort((a, b) => (given(a) < given(b) ? -1 : 1))
      return sorted.length === 0 ? [] : calledNow(sorted, yield* log.machineNames)
    }),
    rejected: Effect.gen(function* () {
      const all = yield* models.rejections.list({ order: { by: "rejectedAt", descending: true } })
      if (all.length === 0) return []
      const rows = calledNow(all, yield* log.machineNames)
      return rows.filter((row) => row.status === "open").concat(rows.filter((row) => row.status !== "open"))
    }),
    retry: Effect.fn("Sync.retry")((id: string) => settle(id, "retried")),
    drop: Effect.fn("Sync.drop")((id: string) => settle(id, "dropped")),
  }
}

/** Whether it says who may write: that is of the moment at which it was said, and the code of an invite is known no more. */
export const isAboutMachines = ({ events }: RejectionRow): boolean =>
  events.some(({ stream }) => stream === machinesStream)

const decidedAnew =
  "who may write is not decided by giving a command again; if it is still meant, look at context infra machine list and decide it anew, and drop this one"

const schedule = Schedule.jittered(Schedule.exponential("2 millis"))

const envelope = (event: Pick<NewEvent, "type" | "schema" | "data">, meta: Meta) =>
  Effect.gen(function* () {
    return {
      ...event,
      id: yield* Id.make,
      meta,
      occurredAt: DateTime.formatIso(yield* DateTime.now),
    } satisfies NewEvent
  })

/** What its own machine brought to the log after all is there: once more would undo what came after it. */
const refuseThere = (log: EventLog["Type"], row: RejectionRow) =>
  Effect.gen(function* () {
    const isThere = (original: Original) =>
      Effect.map(log.read(original.stream), (events) => events.some((event) => isSame(event, original)))
    if (row.events.length === 0 || !(yield* Effect.every(row.events, isThere))) return
    const reason = `${row.what}: it stands in the log by now, for its own machine brought it; let this go with context infra sync rejected drop ${row.id}`
    return yield* new InvalidInput({ field: "", reason })
  })

/** An id alone is not the event: whoever may write can use any. */
const isSame = ({ data, id, meta, type }: Recorded, original: Original): boolean =>
  id === original.id &&
  type === original.type &&
  canonicalJson(data) === canonicalJson(original.data) &&
  meta.key === (original.meta as Meta | null)?.key

/** Who gives a command again, and the key that this machine will sign it with. */
interface Giver {
  readonly meta: Meta
  readonly key: string | undefined
}

/** The events of a refused command as new ones, if they may be done now. */
const given = (models: ReadModels["Type"], row: RejectionRow, { key, meta }: Giver) =>
  Effect.gen(function* () {
    if (isAboutMachines(row)) return yield* new InvalidInput({ field: "", reason: `${row.what}: ${decidedAnew}` })
    const appends = yield* Effect.forEach(row.events, (event) =>
      Effect.map(
        envelope({ type: event.type, schema: event.schema, data: event.data }, meta),
        (fresh): StreamAppend => ({ stream: event.stream, expected: "any", events: [fresh] }),
      ),
    )
    const signed = key === undefined ? meta : { ...meta, key }
    const unit = appends.flatMap(
      ({ events, stream }) =>
      events.map((event): Recorded => ({ ...event, meta: signed, stream, position: 0, version: 0, recordedAt: "", hash: "", signature: null })), // biome-ignore format: one step
    )
    const verdict = redecide(unit, yield* worldOf(models))
    return verdict.outcome === "stands" ? appends : yield* new InvalidInput({ field: "", reason: verdict.reason })
  })

const worldOf = (models: ReadModels["Type"]) =>
  Effect.gen(function* () {
    const world = new Fold(decisive)
    const views: Record<string, View<any>> = {
      servers: models.servers,
      services: models.services,
      routes: models.routes,
      service_deps: models.dependencies,
      secrets_registry: models.secrets,
      infra_events: models.infraEvents,
    }
    for (const projection of decisive) {
      const where = projection.name === "infra_events" ? { where: { source: "person" } } : {}
      const rows = yield* (views[projection.name] as View<any>).list(where)
      for (const row of rows) world.rows(projection).set(row.id, row)
    }
    return world
  })
