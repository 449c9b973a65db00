/** The timeline entries that people write: the part of the registry behind `infra_events`. */
import * as Effect from "effect/Effect"
import type { Commands } from "../../Commands.js"
import { entity, type InfraEvent, type InfraEventInput } from "../../domain/InfraEvent.js"
import { InvalidInput, type RegistryError } from "../../Errors.js"
import type { EventLog } from "../../EventLog.js"
import { isIn } from "../../effectiveTime.js"
import * as Id from "../../Id.js"
import type { ReadModels } from "../../ReadModels.js"
import type { InfraEventRow } from "../../views/infraEvents.js"
import { findById, findServer, findService } from "../names.js"
import { add, decode, execute, remove, update } from "./crud.js"

export type AddEntry = Omit<InfraEventInput, "serverId" | "serviceId">
export type ChangeEntry = Partial<Pick<InfraEvent, "type" | "severity" | "title" | "description" | "metadata">>

/** What to show of the timeline, newest first. `since` is an instant (ISO 8601 UTC); `limit` is 50 unless said. */
export interface TimelineQuery {
  readonly server?: string
  readonly service?: string
  readonly since?: string
  readonly severity?: InfraEvent["severity"]
  readonly limit?: number
}

/** A row of the timeline, dated by when it happened as far as the clocks can be believed. */
export interface TimelineRow extends InfraEventRow {
  /** What its writer said, where that is not believed. ISO 8601 UTC. */
  readonly statedAt?: string
}

export const makeEntries = (models: ReadModels["Type"], commands: Commands["Type"], log: EventLog["Type"]) => {
  const get = (id: string): Effect.Effect<InfraEventRow, RegistryError> => findById("event", models.infraEvents, id)

  /** Only what a person wrote can be changed: the rest tells what the log says. */
  const own = (id: string) =>
    Effect.filterOrFail(
      get(id),
      (row) => row.source === "person",
      () => new InvalidInput({ field: "", reason: "this entry tells an event of the log, which never changes" }),
    )

  const rowsOf = (query: TimelineQuery) =>
    Effect.gen(function* () {
      const serverId = query.server === undefined ? undefined : (yield* findServer(models, query.server)).id
      const serviceId = query.service === undefined ? undefined : (yield* findService(models, query.service)).service.id
      const limit = query.limit ?? 50
      const wanted = {
        where: { serverId, serviceId, severity: query.severity } as object,
        order: { by: "position" as const, descending: true },
      }
      if (query.since === undefined) return yield* models.infraEvents.list({ ...wanted, limit })
      // What happened since then is what had not happened just before.
      const before = yield* log.cutAt(new Date(Date.parse(query.since) - 1).toISOString())
      const first = Math.min(before.until + 1, ...before.skip)
      const from = { column: "position" as const, value: first }
      if (before.skip.size === 0) return yield* models.infraEvents.list({ ...wanted, from, limit })
      const rows = yield* models.infraEvents.list({ ...wanted, from })
      return rows.filter(({ position }) => !isIn(before, position)).slice(0, limit)
    })

  return {
    list: Effect.fn("Registry.timeline")(function* (query: TimelineQuery = {}) {
      const rows = yield* rowsOf(query)
      const times = yield* log.believedAt(rows.map(({ position }) => position))
      return rows.map((row): TimelineRow => {
        const at = times.get(row.position)
        return at === undefined ? row : { ...row, createdAt: at, statedAt: row.createdAt }
      })
    }),
    get,
    add: Effect.fn("Registry.addEntry")(function* (input: AddEntry) {
      const checked = yield* decode(entity.input, input)
      const id = yield* Id.make
      const plan = Effect.gen(function* () {
        const placed = checked.service === null ? undefined : yield* findService(models, checked.service)
        const server = checked.server === null ? placed?.server : yield* findServer(models, checked.server)
        return [
          add(entity.aggregate, id, {
            ...checked,
            serviceId: placed?.service.id ?? null,
            service: placed?.service.name ?? null,
            serverId: server?.id ?? null,
            server: server?.name ?? null,
          }),
        ]
      })
      yield* execute(commands, { entity: "event", name: checked.title }, plan)
      return yield* get(id)
    }),
    update: Effect.fn("Registry.updateEntry")(function* (named: string, changes: ChangeEntry) {
      const patch = yield* decode(entity.patch, changes)
      const { id } = yield* own(named)
      yield* execute(
        commands,
        { entity: "event", name: id },
        Effect.succeed([update(entity.aggregate, id, patch)]),
        false,
      )
      return yield* get(id)
    }),
    remove: Effect.fn("Registry.removeEntry")(function* (named: string) {
      const { id } = yield* own(named)
      return yield* execute(
        commands,
        { entity: "event", name: id },
        Effect.succeed([remove(entity.aggregate, id)]),
        false,
      )
    }),
  }
}
