/** Ids are printed (`--json`, `diff`, `audit log`): each is taken back, whole or as far as it fits no other, where a name is asked for. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { EventLog } from "../../src/EventLog.js"
import { ReadModels } from "../../src/ReadModels.js"
import { Deployer } from "../../src/services/Deployer.js"
import { History } from "../../src/services/History.js"
import { findServers, findServices } from "../../src/services/names.js"
import { Registry } from "../../src/services/Registry.js"
import { inWorld, type World } from "../support/world.js"

/** An id says when it was made. Two whose times share all but the last 16 bits, 65.5 seconds, begin with the same eight digits. */
const shared = 2 ** 16
const moment = 26_000_000 * shared

/** Makes what is made at that moment. */
const at = (millis: number) =>
  Effect.withClock(Object.assign(Clock.make(), { currentTimeMillis: Effect.succeed(millis) }))

const world = Effect.gen(function* () {
  const registry = yield* Registry
  const server = yield* registry.servers.add({ name: "alpha" })
  const service = yield* registry.services.add({ name: "api", server: "alpha" })
  const route = yield* registry.routes.add({ domain: "example.com", service: "api" })
  const secret = yield* registry.secrets.add({ name: "TOKEN", service: "api" })
  return { registry, server, service, route, secret }
}).pipe(at(moment))

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
        expect((yield* registry.services.get(`alpha/${service.id.slice(0, 30)}`)).id).toBe(service.id)
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

  it("is taken by its first eight digits where the next thing of its kind was made later than 65 seconds after it", () =>
    inIt(({ registry, server, service }) =>
      Effect.gen(function* () {
        const later = yield* registry.servers.add({ name: "beta" }).pipe(at(moment + shared))
        for (const { id, name } of [server, later])
          expect(yield* registry.servers.get(id.slice(0, 8))).toMatchObject({ name })
        // A service of the same moment is another kind of thing.
        expect(yield* registry.services.get(service.id.slice(0, 8))).toMatchObject({ name: "api" })
        for (const text of [server.id.slice(0, 7), `${server.id.slice(0, 8)}-ffff`])
          expect(yield* Effect.flip(registry.servers.get(text))).toMatchObject({ _tag: "NotFound" })
      }),
    ))

  it("of a service is enough to depend on it", () =>
    inIt(({ registry, service }) =>
      Effect.gen(function* () {
        yield* registry.services.add({ name: "web", server: "alpha" })
        const added = yield* registry.dependencies.add({ service: "web", on: service.id })
        expect(added).toMatchObject({ service: "alpha/web", dependsOn: "alpha/api" })
        const key = { service: "web", on: service.id }
        expect(yield* registry.dependencies.update(key, { required: false })).toMatchObject({ required: false })
        yield* registry.dependencies.remove(key)
        expect(yield* registry.dependencies.list()).toEqual([])
      }),
    ))

  it("of a secret is looked for among those of the service or server that is named", () =>
    inIt(({ registry, secret, server, service }) =>
      Effect.gen(function* () {
        const other = yield* registry.secrets.add({ name: "TOKEN", server: server.id })
        expect(other).toMatchObject({ server: "alpha" })
        expect((yield* registry.secrets.get({ name: "TOKEN", server: server.id })).id).toBe(other.id)
        expect((yield* registry.secrets.get({ name: "TOKEN", service: service.id })).id).toBe(secret.id)
        const wrong = registry.secrets.get({ name: secret.id, server: "alpha" })
        expect(yield* Effect.flip(wrong)).toMatchObject({ _tag: "NotFound" })
      }),
    ))

  it("that fits several things is none of them, and all are named", () =>
    inIt(({ registry, server }) =>
      Effect.gen(function* () {
        yield* registry.servers.add({ name: "beta" }).pipe(at(moment + shared - 1))
        const common = server.id.slice(0, 8)
        expect(yield* Effect.flip(registry.servers.get(common))).toMatchObject({
          candidates: ["alpha", "beta"],
        })
      }),
    ))

  it("is no name of a jump host, which is kept as it is given", () =>
    inIt(({ registry, server }) =>
      Effect.gen(function* () {
        const sshConfig = { user: null, port: 22, keyPath: null, jumpHost: server.id.slice(0, 8) }
        const error = yield* Effect.flip(registry.servers.add({ name: "beta", sshConfig }))
        expect(error).toMatchObject({ _tag: "NotFound", name: sshConfig.jumpHost })
      }),
    ))

  it("of something of ours is not what others' has for a name, when it is said which is meant", () =>
    inIt(({ registry: { dependencies, services } }) =>
      Effect.gen(function* () {
        yield* services.add({ name: "web", server: "alpha" })
        yield* dependencies.add({ service: "web", on: "api" })
        yield* dependencies.add({ service: "web", external: "api" })
        const get = (external?: boolean) => dependencies.get({ service: "web", on: "api", external })
        expect(yield* get(true)).toMatchObject({ dependsOn: "api", external: true })
        expect(yield* get(false)).toMatchObject({ dependsOn: "alpha/api", external: false })
        expect(yield* get()).toMatchObject({ external: true })
        expect(yield* dependencies.get({ service: "web", on: "alpha/api" })).toMatchObject({ external: false })
      }),
    ))

  it("of a dependency is none where a service that it is on has that for a name; what is others' is said to be so", () =>
    inIt(({ registry: { dependencies, services } }) =>
      Effect.gen(function* () {
        yield* services.add({ name: "web", server: "alpha" })
        const { id } = yield* dependencies.add({ service: "web", on: "api" })
        yield* services.add({ name: id, server: "alpha" })
        yield* dependencies.add({ service: "web", on: `alpha/${id}` })
        yield* dependencies.add({ service: "web", external: "stripe" })
        const fails = (on: string, external: boolean) =>
          Effect.map(Effect.flip(dependencies.get({ service: "web", on, external })), ({ message }) => message)
        expect(yield* fails(id, false)).toContain("ambiguous")
        expect(yield* fails("stripe", false)).toContain("stripe is none of your services: name it as external")
        expect(yield* fails("alpha/api", true)).toContain("alpha/api is a service of yours")
        expect(yield* Effect.flip(services.get("alpha/0badcafe"))).toMatchObject({ name: "alpha/0badcafe" })
      }),
    ))

  it("of a deployment, however short, is no service's; where it fits both, neither is meant", () =>
    inIt(({ registry, service }) =>
      Effect.gen(function* () {
        const deployer = yield* Deployer
        yield* registry.services.add({ name: "web", server: "alpha" }).pipe(at(moment + 3 * shared))
        const of = (name: string) =>
          deployer.record({ service: name, version: "1", status: "success" }).pipe(at(moment))
        const own = yield* of("api")
        expect(yield* deployer.attach(own.id.slice(0, 8))).toMatchObject({ id: own.id })
        yield* registry.services.add({ name: own.id, server: "alpha" }).pipe(at(moment + 3 * shared))
        expect((yield* Effect.flip(deployer.attach(own.id))).message).toContain("is ambiguous")
        yield* deployer.hide(own.id)
        const { id } = yield* of("web")
        for (const text of [id, id.slice(0, 30)]) expect(yield* deployer.attach(text)).toMatchObject({ id })
        const both = yield* Effect.flip(deployer.attach(id.slice(0, 8)))
        expect(both.message).toContain(`say one of ${service.id} (api), ${id} (a deployment of web)`)
        // It is looked for where the service is.
        expect((yield* Effect.flip(deployer.attach(service.id))).message).toContain("server alpha has no address")
      }),
    ))

  it("before a slash is a server's, unless another is called so", () =>
    inIt(({ registry, server }) =>
      Effect.gen(function* () {
        const like = server.id.slice(0, 8)
        expect(yield* registry.services.get(`${like}/api`)).toMatchObject({ server: "alpha" })
        yield* registry.servers.add({ name: like })
        const both = yield* Effect.flip(registry.services.get(`${like}/api`))
        expect(both).toMatchObject({ _tag: "Ambiguous", entity: "server" })
        const [own] = yield* registry.servers.list({ where: { name: like } })
        yield* registry.services.add({ name: "api", server: own?.id as string })
        expect(yield* registry.services.get(`${own?.id}/api`)).toMatchObject({ server: like })
      }),
    ))

  it("of a route, secret or dependency is no other's name, and of two that fit neither is meant", () =>
    inIt(({ registry, route, secret, service }) =>
      Effect.gen(function* () {
        const { dependencies, routes, secrets, services } = registry
        yield* services.add({ name: "web", server: "alpha" })
        const needs = yield* dependencies.add({ service: "web", on: "api" })
        yield* dependencies.add({ service: "web", external: service.id })
        yield* routes.add({ domain: route.id, service: "web" })
        yield* secrets.add({ name: "OTHER" })
        const taken = [
          routes.remove({ domain: route.id }),
          dependencies.remove({ service: "web", on: service.id }),
          secrets.remove({ name: secret.id.slice(0, 5) }),
        ]
        const tags = yield* Effect.forEach(taken, (one) => Effect.map(Effect.flip(one), (error) => error._tag))
        expect(tags).toEqual(["Ambiguous", "Ambiguous", "NotFound"])
        // What is no dependency's may be a service's: then it is not said which of its dependencies is meant.
        const unsaid = yield* Effect.flip(dependencies.remove({ service: service.id.slice(0, 8) }))
        expect(unsaid).toMatchObject({ _tag: "InvalidInput", field: "on" })
        expect(yield* dependencies.get({ service: needs.id })).toMatchObject({ dependsOn: "alpha/api" })
        yield* dependencies.remove({ service: needs.id.slice(0, 30) })
        expect(yield* dependencies.list()).toMatchObject([{ external: true }])
      }),
    ))

  it("of a deployment, an event or a machine is enough to find what tells of it", () =>
    inIt(({ service }) =>
      Effect.gen(function* () {
        const deployer = yield* Deployer
        const log = yield* EventLog
        const { id } = yield* deployer.record({ service: "api", version: "1", status: "success" }).pipe(at(moment))
        const events = [...(yield* Stream.runCollect(log.readAll()))]
        const { life } = yield* History
        expect((yield* life(id)).map(({ type }) => type)).toEqual(events.slice(4).map(({ type }) => type))
        expect(yield* life(events[2]?.id as string)).toMatchObject([{ type: events[2]?.type, position: 3 }])
        expect((yield* life(service.id)).length).toBeGreaterThan(1)
        expect(yield* life(id.slice(0, 30))).toEqual(yield* life(id))
        // Begun in one moment with things, it is one of several that its first digits may mean.
        expect((yield* Effect.flip(life(id.slice(0, 8)))).message).toContain(id)
        const machineId = "0123456789abcdef"
        const data = { machineId, name: "m", publicKey: "k" }
        const joined = { id: "joined", type: "MachineJoined", data, meta: events[0]?.meta }
        yield* log.append([{ stream: "machine-a", expected: "any", events: [joined] }] as never)
        expect(yield* life(machineId.slice(0, 9))).toMatchObject([{ type: "MachineJoined" }])
        expect(yield* Effect.flip(life("0badcafe-0000"))).toMatchObject({ _tag: "NotFound" })
      }).pipe(Effect.provide(History.layer)),
    ))

  it("of an event is taken as far as nothing else has it", () =>
    inIt(() =>
      Effect.gen(function* () {
        const { life } = yield* History
        const log = yield* EventLog
        const events = [...(yield* Stream.runCollect(log.readAll()))]
        const event = (id: string) => ({ id, type: "Noted", data: {}, meta: events[0]?.meta })
        const ids = ["0badcafe-0000-7000-8000-000000000001", "0badcafe-0000-7000-9000-000000000001"] as const
        yield* log.append([{ stream: "note-1", expected: "any", events: ids.map(event) }] as never)
        for (const id of ids) expect(yield* life(id.slice(0, 21))).toMatchObject([{ type: "Noted" }])
        expect((yield* Effect.flip(life(ids[0].slice(0, 13)))).message).toContain(ids[1])
        // An event is made in the moment of what it is about, which has the first word.
        const added = events[0]?.id.slice(0, 13) ?? ""
        expect(yield* Effect.flip(life(added))).toMatchObject({ _tag: "Ambiguous" })
      }).pipe(Effect.provide(History.layer)),
    ))

  it("is not hidden by what a person calls something on the timeline", () =>
    inIt(({ registry, server }) =>
      Effect.gen(function* () {
        yield* registry.timeline.add({ title: server.id, type: "note", severity: "info" } as never)
        const types = (yield* (yield* History).life(server.id)).map(({ type }) => type)
        expect(types).toContain("ServerAdded")
        expect(types).toHaveLength(2)
      }).pipe(Effect.provide(History.layer)),
    ))

  it("is in no event, and in no answer where a name belongs", () =>
    inIt(({ registry, server, service, secret, route }) =>
      Effect.gen(function* () {
        const log = yield* EventLog
        const before = yield* log.head
        const [on, begins] = [server.id.slice(0, 8), service.id.slice(0, 8)]
        expect(yield* registry.servers.update(on, { notes: "x" })).toMatchObject({ name: "alpha" })
        expect(yield* registry.services.update(begins, { port: 80, server: on })).toMatchObject({ name: "api" })
        expect(yield* registry.routes.update({ domain: route.id }, { notes: "x" })).toMatchObject({ notes: "x" })
        expect(yield* registry.secrets.rotated({ name: secret.id })).toMatchObject({ name: "TOKEN" })
        expect(yield* registry.secrets.update({ name: secret.id }, { notes: "x" })).toMatchObject({ name: "TOKEN" })
        yield* registry.servers.forgetHostKeys(on)
        expect(yield* Effect.flip(registry.servers.remove(on))).toMatchObject({ name: "alpha", by: ["service api"] })
        expect(yield* Effect.flip(registry.services.remove(begins))).toMatchObject({ name: "alpha/api" })
        const twice = registry.services.add({ name: "api", server: on })
        expect(yield* Effect.flip(twice)).toMatchObject({ _tag: "AlreadyExists", name: "alpha/api" })
        expect(yield* registry.services.rename(begins, "web")).toMatchObject({ name: "web" })
        const events = [...(yield* Stream.runCollect(log.readAll({ after: before })))]
        expect(events).toHaveLength(6)
        for (const { data } of events) expect((data as { name?: string }).name ?? "").not.toMatch(/^[0-9a-f]{8}/)
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
        expect(yield* Effect.flip(registry.services.get(`alpha/${called}`))).toMatchObject({ _tag: "Ambiguous" })
      }),
    ))
})
