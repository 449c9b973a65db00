/** The timeline entries that people write: the part of the registry behind `infra_events`. */
import * as Effect from "effect/Effect"
import type { Commands } from "../../Commands.js"
import { entity, type InfraEvent, type InfraEventInput } from "../../domain/InfraEvent.js"
import { InvalidInput, type RegistryError } from "../../Errors.js"
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

export const makeEntries = (models: ReadModels["Type"], commands: Commands["Type"]) => {
  const get = (id: string): Effect.Effect<InfraEventRow, RegistryError> => findById("event", models.infraEvents, id)

  /** Only what a person wrote can be changed: the rest tells what the log says. */
  const own = (id: string) =>
    Effect.filterOrFail(
      get(id),
      (row) => row.source === "person",
      () => new InvalidInput({ field: "id", reason: "this entry tells an event of the log, which never changes" }),
    )

  return {
    list: Effect.fn("Registry.timeline")(function* (query: TimelineQuery = {}) {
      const serverId = query.server === undefined ? undefined : (yield* findServer(models, query.server)).id
      const serviceId = query.service === undefined ? undefined : (yield* findService(models, query.service)).service.id
      return yield* models.infraEvents.list({
        where: { serverId, serviceId, severity: query.severity } as object,
        ...(query.since === undefined ? {} : { from: { column: "createdAt", value: query.since } }),
        order: { by: "position", descending: true },
        limit: query.limit ?? 50,
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
