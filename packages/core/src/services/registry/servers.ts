/** The servers' part of the registry. */
import * as Effect from "effect/Effect"
import type { Commands } from "../../Commands.js"
import { entity as secret } from "../../domain/Secret.js"
import { entity, HostKeyForgotten, type Server, type ServerInput } from "../../domain/Server.js"
import { InUse, InvalidInput, type RegistryError } from "../../Errors.js"
import { Here, isSaidBy } from "../../Here.js"
import * as Id from "../../Id.js"
import type { Query, ReadModels } from "../../ReadModels.js"
import type { ServerRow } from "../../views/servers.js"
import { findById, findServer, missing } from "../names.js"
import { add, decode, execute, remove, rename, update } from "./crud.js"
import { attachedTo, removeServices } from "./removal.js"

export const makeServers = (models: ReadModels["Type"], commands: Commands["Type"]) => {
  const get = (name: string): Effect.Effect<ServerRow, RegistryError> => findServer(models, name)

  /** As it is now, whatever it was called meanwhile. */
  const byId = (id: string): Effect.Effect<ServerRow, RegistryError> => findById("server", models.servers, id)

  /**
   * The server and its services go, with all that hangs on them, or it is refused. Who jumps through it stays, and would be out of reach:
   * that is refused even then.
   */
  const planRemoval = (name: string, cascade: boolean) =>
    Effect.gen(function* () {
      const server = yield* get(name)
      const services = yield* models.services.list({ where: { serverId: server.id } })
      const jumpers = jumpersThrough(server, yield* models.servers.list())
      const uses = [
        ...(cascade ? [] : services.map((service) => `service ${service.name}`)),
        ...jumpers.map((other) => `server ${other.name}, which jumps through it`),
      ]
      if (uses.length > 0) return yield* new InUse({ entity: "server", name: server.name, by: uses })
      const secrets = yield* models.secrets.list({ where: { serverId: server.id } })
      return [
        ...removeServices(services, yield* attachedTo(models, services)),
        ...secrets.filter((s) => s.serviceId === null).map((s) => remove(secret.aggregate, s.id)),
        remove(entity.aggregate, server.id),
      ]
    })

  return {
    list: (query?: Query<ServerRow>) => models.servers.list(query),
    get,
    add: Effect.fn("Registry.addServer")(function* (input: ServerInput) {
      const data = yield* decode(entity.input, input)
      yield* checkResources(data)
      const id = yield* Id.make
      const plan = Effect.as(checkJump(models, data), [add(entity.aggregate, id, data)])
      yield* execute(commands, { entity: "server", name: data.name }, plan, jumpOf(data) !== undefined)
      return yield* byId(id)
    }),
    update: Effect.fn("Registry.updateServer")(function* (name: string, changes: Partial<Server>) {
      const patch = yield* decode(entity.patch, changes)
      yield* refuseRename(patch)
      yield* checkResources(patch)
      let id = ""
      const plan = Effect.gen(function* () {
        yield* checkJump(models, patch)
        const server = yield* get(name)
        id = server.id
        return [update(entity.aggregate, id, yield* news(server, patch))]
      })
      yield* execute(commands, { entity: "server", name }, plan, jumpOf(patch) !== undefined)
      return yield* byId(id)
    }),
    rename: Effect.fn("Registry.renameServer")(function* (name: string, to: string) {
      const patch = yield* decode(entity.patch, { name: to })
      let id = ""
      const plan = Effect.gen(function* () {
        const server = yield* get(name)
        id = server.id
        const jumpers = jumpersThrough(server, yield* models.servers.list())
        return [
          rename(entity.aggregate, server.id, patch.name as string),
          ...jumpers.map((other) =>
            update(entity.aggregate, other.id, { sshConfig: { ...other.sshConfig, jumpHost: to } }),
          ),
        ]
      })
      yield* execute(commands, { entity: "server", name: to }, plan)
      return yield* byId(id)
    }),
    /** Whether it could be removed now: fails with what stands in the way. */
    checkRemoval: (name: string, options?: { readonly cascade?: boolean }) =>
      Effect.asVoid(planRemoval(name, options?.cascade ?? false)),
    remove: Effect.fn("Registry.removeServer")(function* (name: string, options?: { readonly cascade?: boolean }) {
      return yield* execute(commands, { entity: "server", name }, planRemoval(name, options?.cascade ?? false))
    }),
    /** Takes back the pins of a host's keys, so that the next key it shows can be accepted. */
    forgetHostKeys: Effect.fn("Registry.forgetHostKeys")(function* (name: string) {
      const server = yield* get(name)
      const addresses = [...new Set(server.hostKeys.map((key) => key.address))]
      yield* commands.record(
        entity.aggregate,
        server.id,
        addresses.map((address) => HostKeyForgotten({ server: server.name, address })),
      )
      return addresses
    }),
  }
}

/** That a server is this machine is no news where this machine has said so. Said by another, it is that one from then on. */
const news = (server: ServerRow, { local, ...others }: Partial<Server>): Effect.Effect<Partial<Server>> =>
  Effect.gen(function* () {
    if (local === undefined) return others
    return local && isSaidBy(server, yield* yield* Here) ? others : { ...others, local }
  })

/** The other servers that are reached through one. */
const jumpersThrough = (server: ServerRow, all: ReadonlyArray<ServerRow>): ReadonlyArray<ServerRow> =>
  all.filter((other) => other.id !== server.id && other.sshConfig?.jumpHost === server.name)

/** The registered server that one is to jump through: a bare word. `[user@]host[:port]` is none. */
const jumpOf = (server: Partial<Server>): string | undefined => {
  const jump = server.sshConfig?.jumpHost ?? undefined
  return jump === undefined || /[@:.]/.test(jump) ? undefined : jump
}

/** A bare word that names no server is most probably a typo. Looks at another server: to be asked in a plan that is guarded. */
const checkJump = (models: ReadModels["Type"], server: Partial<Server>): Effect.Effect<void, RegistryError> => {
  const jump = jumpOf(server)
  if (jump === undefined) return Effect.void
  // It is kept as it is given: an id is none here.
  return Effect.flatMap(models.servers.list(), (all) =>
    all.some(({ name }) => name === jump)
      ? Effect.void
      : missing(
          "server",
          jump,
          all.map(({ name }) => name),
        ),
  )
}

/** Nothing has fewer processors than one, or less than no memory. Events that say so are older, and stay as they are. */
const checkResources = ({ resources }: Partial<Server>): Effect.Effect<void, InvalidInput> => {
  const { cpu = null, disk = null, ram = null } = resources ?? {}
  if (cpu !== null && !(cpu > 0)) return new InvalidInput({ field: "resources.cpu", reason: "must be more than 0" })
  const wrong = Object.entries({ disk, ram }).find(([, size]) => size !== null && !/^\d/.test(size))
  const reason = "must be a size such as 32GB"
  return wrong === undefined ? Effect.void : new InvalidInput({ field: `resources.${wrong[0]}`, reason })
}

/** `update` never changes a name: that has its own command, and its own event. */
export const refuseRename = (patch: object): Effect.Effect<void, InvalidInput> =>
  "name" in patch ? new InvalidInput({ field: "name", reason: "is changed by rename, not by update" }) : Effect.void
