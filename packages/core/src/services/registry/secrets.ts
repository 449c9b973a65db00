/** The secrets' part of the registry: which there are and where they are kept, never what they are. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type { Commands } from "../../Commands.js"
import { entity, type Secret, type SecretInput, SecretRotated } from "../../domain/Secret.js"
import { AlreadyExists, Ambiguous, type RegistryError } from "../../Errors.js"
import * as Id from "../../Id.js"
import type { ReadModels } from "../../ReadModels.js"
import { spanMillis } from "../../Time.js"
import type { SecretRow } from "../../views/secrets.js"
import { beginsId, findServer, findService, fullName, hasId, missing, placeAll, some, withId } from "../names.js"
import { add, decode, execute, remove, update } from "./crud.js"

/** A secret as people see it. `rotationDue` is when it should be changed next, if a policy says so. */
export type SecretView = SecretRow & {
  readonly service: string | null
  readonly server: string | null
  readonly rotationDue: string | null
}

export type AddSecret = Omit<SecretInput, "serviceId" | "serverId"> & {
  readonly service?: string
  readonly server?: string
}
export type ChangeSecret = Partial<Omit<Secret, "name" | "serviceId" | "serverId">>

/** Which secret is meant. Its name alone will do while it is the only one of that name. */
export interface SecretKey {
  readonly name: string
  readonly service?: string
  readonly server?: string
}

export const makeSecrets = (models: ReadModels["Type"], commands: Commands["Type"]) => {
  const list = Effect.fn("Registry.listSecrets")(function* () {
    const placed = yield* placeAll(models, yield* models.services.list())
    const services = new Map(placed.map((one) => [one.service.id, fullName(one)]))
    const servers = new Map((yield* models.servers.list()).map((server) => [server.id, server.name]))
    return (yield* models.secrets.list()).map(
      (row): SecretView => ({
        ...row,
        service: services.get(row.serviceId ?? "") ?? null,
        server: servers.get(row.serverId ?? "") ?? null,
        rotationDue: dueAt(row),
      }),
    )
  })

  const get = (key: SecretKey): Effect.Effect<SecretView, RegistryError> =>
    Effect.gen(function* () {
      const all = yield* list()
      const serviceId = key.service === undefined ? undefined : (yield* findService(models, key.service)).service.id
      const serverId = key.server === undefined ? undefined : (yield* findServer(models, key.server)).id
      const owned = all.filter(
        (row) =>
          (serviceId === undefined || row.serviceId === serviceId) &&
          (serverId === undefined || row.serverId === serverId),
      )
      const found = owned.filter((row) => row.name === key.name || hasId(row.id, key.name))
      if (found.length > 1) {
        const shown = (row: SecretView) => `${row.name} of ${row.service ?? row.server ?? "no service"}`
        const candidates = found.map((row) => (beginsId(key.name) ? `${row.id} (${shown(row)})` : shown(row)))
        return yield* new Ambiguous({ entity: "secret", name: key.name, candidates: some(candidates) })
      }
      return (
        found[0] ??
        (yield* missing(
          "secret",
          key.name,
          owned.map((row) => row.name),
        ))
      )
    })

  return {
    list,
    get,
    add: Effect.fn("Registry.addSecret")(function* ({ server, service, ...fields }: AddSecret) {
      const checked = yield* decode(entity.input, fields)
      const id = yield* Id.make
      const plan = Effect.gen(function* () {
        const serviceId = service === undefined ? null : (yield* findService(models, service)).service.id
        const serverId = server === undefined ? null : (yield* findServer(models, server)).id
        // SQL takes two rows with a NULL in a key for different ones, so a name taken twice is looked for here.
        const twins = yield* models.secrets.list({ where: { name: checked.name, serviceId, serverId } })
        if (twins.length > 0) return yield* new AlreadyExists({ entity: "secret", name: checked.name })
        return [add(entity.aggregate, id, { ...checked, serviceId, serverId })]
      })
      yield* execute(commands, { entity: "secret", name: checked.name }, plan)
      return yield* withId("secret", list(), id)
    }),
    update: Effect.fn("Registry.updateSecret")(function* (key: SecretKey, changes: ChangeSecret) {
      const patch = yield* decode(entity.patch, changes)
      let id = ""
      const plan = Effect.map(get(key), (row) => {
        id = row.id
        return [update(entity.aggregate, id, patch)]
      })
      yield* execute(commands, { entity: "secret", name: key.name }, plan)
      return yield* withId("secret", list(), id)
    }),
    /** Notes that it was changed where it is kept. */
    rotated: Effect.fn("Registry.rotatedSecret")(function* (key: SecretKey) {
      const row = yield* get(key)
      const at = DateTime.formatIso(yield* DateTime.now)
      yield* commands.record(entity.aggregate, row.id, [SecretRotated({ name: row.name, at })])
      return yield* withId("secret", list(), row.id)
    }),
    remove: Effect.fn("Registry.removeSecret")(function* (key: SecretKey) {
      const plan = Effect.map(get(key), (row) => [remove(entity.aggregate, row.id)])
      return yield* execute(commands, { entity: "secret", name: key.name }, plan)
    }),
  }
}

const dueAt = (row: SecretRow): string | null => {
  const span = row.rotationPolicy === null ? undefined : spanMillis(row.rotationPolicy.interval)
  if (span === undefined) return null
  return new Date(Date.parse(row.lastRotated ?? row.createdAt) + span).toISOString()
}
