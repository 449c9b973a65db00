/** Ids are printed (`--json`, `diff`, `audit log`): each is taken back, whole or as far as it fits no other, where a name is asked for. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { ReadModels } from "../../src/ReadModels.js"
import { History } from "../../src/services/History.js"
import { findServers, findServices } from "../../src/services/names.js"
import { Registry } from "../../src/services/Registry.js"
import { inWorld, type World } from "../support/world.js"

const world = Effect.gen(function* () {
  const registry = yield* Registry
  const server = yield* registry.servers.add({ name: "alpha" })
  const service = yield* registry.services.add({ name: "api", server: "alpha" })
  const route = yield* registry.routes.add({ domain: "example.com", service: "api" })
  const secret = yield* registry.secrets.add({ name: "TOKEN", service: "api" })
  return { registry, server, service, route, secret }
})

const inIt = <A, E>(story: (made: Effect.Effect.Success<typeof world>) => Effect.Effect<A, E, World>) =>
  inWorld(Effect.flatMap(Effect.orDie(world), story))

/** Ids that were made in one moment begin alike. */
const beginnings = (id: string) => [id, id.toUpperCase(), id.slice(0, 30)]

describe("an id", () => {
  it.each(["server", "service", "route", "secret"] as const)("of a %s is taken for its name", (kind) =>
    inIt(({ registry, ...made }) =>
      Effect.gen(function* () {
        for (const text of beginnings(made[kind].id)) {
          const found = {
            server: () => registry.servers.get(text),
            service: () => registry.services.get(text),
            route: () => registry.routes.get({ domain: text }),
            secret: () => registry.secrets.get({ name: text }),
          }[kind]
          expect((yield* found()).id).toBe(made[kind].id)
        }
      }),
    ),
  )

  it.each(["server", "service", "route", "secret"] as const)("of a %s is enough to find its life", (kind) =>
    inIt((made) =>
      Effect.gen(function* () {
        const history = yield* History
        for (const text of beginnings(made[kind].id)) expect(yield* history.life(text)).toHaveLength(1)
      }).pipe(Effect.provide(History.layer)),
    ),
  )

  it("of a server stands for it before a service's name, and where a service is added", () =>
    inIt(({ registry, server, service }) =>
      Effect.gen(function* () {
        const begins = server.id.slice(0, 30)
        expect((yield* registry.services.get(`${begins}/api`)).id).toBe(service.id)
        expect(yield* registry.services.add({ name: "web", server: begins })).toMatchObject({
          server: "alpha",
          name: "web",
        })
        expect(yield* registry.services.update("web", { server: server.id })).toMatchObject({ server: "alpha" })
      }),
    ))

  it("beside a name of the same thing is that thing once", () =>
    inIt(({ server, service }) =>
      Effect.gen(function* () {
        const models = yield* ReadModels
        expect(yield* findServers(models, ["alpha", server.id, "alpha"])).toMatchObject([{ id: server.id }])
        const found = yield* findServices(models, ["api", "alpha/api", service.id])
        expect(found.map((one) => one.service.id)).toEqual([service.id])
      }),
    ))

  it("that fits several things is none of them, and all are named", () =>
    inIt(({ registry, server }) =>
      Effect.gen(function* () {
        const other = yield* registry.servers.add({ name: "beta" })
        const common = server.id.slice(0, 8)
        expect(other.id.startsWith(common)).toBe(true)
        expect(yield* Effect.flip(registry.servers.get(common))).toMatchObject({ candidates: [server.id, other.id] })
      }),
    ))

  it("is no name of a jump host, which is kept as it is given", () =>
    inIt(({ registry, server }) =>
      Effect.gen(function* () {
        const sshConfig = { user: null, port: 22, keyPath: null, jumpHost: server.id.slice(0, 8) }
        const error = yield* Effect.flip(registry.servers.add({ name: "beta", sshConfig }))
        expect(error).toMatchObject({ _tag: "NotFound", suggestions: ["alpha"] })
      }),
    ))

  it("that another thing has for a name is neither, for that may have been meant to be mistaken", () =>
    inIt(({ registry, server, service }) =>
      Effect.gen(function* () {
        const [like, lone] = [server.id.slice(0, 8), "0badcafe"]
        yield* registry.servers.add({ name: lone })
        expect((yield* registry.servers.get(lone)).name).toBe(lone)
        const other = yield* registry.servers.add({ name: like })
        expect(yield* Effect.flip(registry.servers.get(like))).toMatchObject({ _tag: "Ambiguous" })
        expect(yield* registry.servers.get(other.id)).toMatchObject({ name: like })
        expect(yield* registry.servers.rename(other.id, "gamma")).toMatchObject({ name: "gamma" })
        const called = service.id.slice(0, 8)
        yield* registry.services.add({ name: called, server: "alpha" })
        expect(yield* Effect.flip(registry.services.get(called))).toMatchObject({ _tag: "Ambiguous" })
        expect((yield* registry.services.get(`alpha/${called}`)).name).toBe(called)
      }),
    ))
})
