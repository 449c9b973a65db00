/** Ids are printed (`--json`, `diff`, `audit log`): each is taken back, whole or as far as it fits no other, where a name is asked for. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { History } from "../../src/services/History.js"
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

  it("is not looked for where a thing is called so", () =>
    inIt(({ registry, server }) =>
      Effect.gen(function* () {
        const name = server.id.slice(0, 8)
        yield* registry.servers.add({ name })
        expect((yield* registry.servers.get(name)).name).toBe(name)
      }),
    ))
})
