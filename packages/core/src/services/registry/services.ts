/** The services' part of the registry. */
import * as Effect from "effect/Effect"
import type { Commands } from "../../Commands.js"
import { entity, type Service, type ServiceInput } from "../../domain/Service.js"
import { InUse, type RegistryError } from "../../Errors.js"
import * as Id from "../../Id.js"
import type { ReadModels } from "../../ReadModels.js"
import type { ServiceRow } from "../../views/services.js"
import { findServer, findService, fullName, missing, type Placed, placeAll } from "../names.js"
import { add, decode, execute, rename, update } from "./crud.js"
import { attachedTo, removeServices } from "./removal.js"
import { refuseRename } from "./servers.js"

/** A service as people see it: with its server's name. */
export type ServiceView = ServiceRow & { readonly server: string }

/** What is needed to add one: its server by name. */
export type AddService = Omit<ServiceInput, "serverId"> & { readonly server: string }

/** What may be changed; `server` moves it. */
export type ChangeService = Partial<Omit<Service, "serverId" | "name">> & { readonly server?: string }

const view = ({ server, service }: Placed): ServiceView => ({ ...service, server: server.name })

export const makeServices = (models: ReadModels["Type"], commands: Commands["Type"]) => {
  const get = (name: string): Effect.Effect<ServiceView, RegistryError> => Effect.map(findService(models, name), view)

  /** As it is now, wherever it was moved and whatever it was called meanwhile. */
  const byId = (id: string, name: string): Effect.Effect<ServiceView, RegistryError> =>
    Effect.gen(function* () {
      const row = yield* models.services.get(id)
      const [placed] = yield* placeAll(models, row === undefined ? [] : [row])
      return placed === undefined ? yield* missing("service", name, []) : view(placed)
    })

  const planRemoval = (name: string, cascade: boolean) =>
    Effect.gen(function* () {
      const placed = yield* findService(models, name)
      const { service } = placed
      const attached = yield* attachedTo(models, [service])
      if (attached.uses.length > 0 && !cascade) {
        return yield* new InUse({
          entity: "service",
          name: fullName(placed),
          by: attached.uses.map((use) => use.label),
        })
      }
      return removeServices([service], attached)
    })

  return {
    list: Effect.fn("Registry.listServices")(function* (options?: { readonly server?: string }) {
      const where = options?.server === undefined ? {} : { serverId: (yield* findServer(models, options.server)).id }
      return (yield* placeAll(models, yield* models.services.list({ where }))).map(view)
    }),
    get,
    add: Effect.fn("Registry.addService")(function* ({ server, ...fields }: AddService) {
      const checked = yield* decode(entity.input, { ...fields, serverId: "" })
      const id = yield* Id.make
      const plan = Effect.map(findServer(models, server), (row) => [
        add(entity.aggregate, id, { ...checked, serverId: row.id }),
      ])
      const on = (yield* findServer(models, server)).name
      yield* execute(commands, { entity: "service", name: `${on}/${checked.name}` }, plan)
      return yield* byId(id, checked.name)
    }),
    update: Effect.fn("Registry.updateService")(function* (name: string, { server, ...fields }: ChangeService) {
      const patch = yield* decode(entity.patch, fields)
      yield* refuseRename(patch)
      const before = yield* get(name)
      let id = before.id
      const plan = Effect.gen(function* () {
        id = (yield* findService(models, name)).service.id
        const moves = server === undefined ? {} : { serverId: (yield* findServer(models, server)).id }
        return [update(entity.aggregate, id, { ...patch, ...moves })]
      })
      const on = server === undefined ? before.server : (yield* findServer(models, server)).name
      yield* execute(commands, { entity: "service", name: `${on}/${before.name}` }, plan)
      return yield* byId(id, name)
    }),
    rename: Effect.fn("Registry.renameService")(function* (name: string, to: string) {
      yield* decode(entity.patch, { name: to })
      const before = yield* get(name)
      let id = before.id
      const plan = Effect.map(findService(models, name), ({ service }) => {
        id = service.id
        return [rename(entity.aggregate, id, to)]
      })
      yield* execute(commands, { entity: "service", name: `${before.server}/${to}` }, plan)
      return yield* byId(id, to)
    }),
    /** Whether it could be removed now: fails with what stands in the way. */
    checkRemoval: (name: string, options?: { readonly cascade?: boolean }) =>
      Effect.asVoid(planRemoval(name, options?.cascade ?? false)),
    remove: Effect.fn("Registry.removeService")(function* (name: string, options?: { readonly cascade?: boolean }) {
      return yield* execute(commands, { entity: "service", name }, planRemoval(name, options?.cascade ?? false))
    }),
  }
}
