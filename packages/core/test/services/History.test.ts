import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { EventLog } from "../../src/EventLog.js"
import * as Id from "../../src/Id.js"
import { History } from "../../src/services/History.js"
import { Registry } from "../../src/services/Registry.js"
import { inWorld, type World } from "../support/world.js"

/** alpha (1) with an api (2); alpha becomes omega (3) and staging (4); beta comes (5); the api goes (6). */
const story = Effect.gen(function* () {
  const registry = yield* Registry
  yield* registry.servers.add({ name: "alpha", tags: ["docker"] })
  yield* registry.services.add({ name: "api", server: "alpha", port: 3000 })
  yield* registry.servers.rename("alpha", "omega")
  yield* registry.servers.update("omega", { role: "staging" })
  yield* registry.servers.add({ name: "beta" })
  yield* registry.services.remove("api")
})

const ask = <A, E>(question: (history: History["Type"]) => Effect.Effect<A, E, World>) => {
  const asked: Effect.Effect<A, E, World> = Effect.zipRight(
    Effect.orDie(story),
    Effect.flatMap(History, question),
  ).pipe(Effect.provide(History.layer))
  return inWorld(asked)
}

describe("what changed between two moments", () => {
  it("is told entity by entity, field by field, with who and how", async () => {
    const { changes, from, to } = await ask((history) => history.diff("2", "6"))
    expect([from, to]).toEqual([2, 6])
    expect(changes.map(({ kind, name, view }) => `${view} ${name} ${kind}`)).toEqual([
      "servers omega changed",
      "servers beta added",
      "services api removed",
    ])
    expect(changes[0]?.fields).toEqual([
      { field: "name", before: "alpha", after: "omega" },
      { field: "role", before: null, after: "staging" },
    ])
    expect(changes[0]?.causes).toMatchObject([
      { position: 3, type: "ServerRenamed", actor: "ada", via: "library", machine: "test" },
      { position: 4, type: "ServerUpdated", actor: "ada" },
    ])
  })

  it("names only what was set, of what came or went", async () => {
    const { changes } = await ask((history) => history.diff("0", "1"))
    expect(changes[0]?.fields.map(({ after, field }) => [field, after])).toEqual([
      ["name", "alpha"],
      ["tags", ["docker"]],
      ["status", "unknown"],
    ])
  })

  it("says what the fields refer to is called", async () => {
    const { changes, names } = await ask((history) => history.diff("1", "3"))
    const reference = changes.flatMap(({ fields }) => fields).find(({ field }) => field === "serverId")
    expect(names).toEqual({ [reference?.after as string]: "omega" })
  })

  it("is nothing where nothing changed, and is refused where the later moment is named first", async () => {
    expect((await ask((history) => history.diff("4", "4"))).changes).toEqual([])
    expect(await ask((history) => Effect.flip(history.diff("6", "2")))).toMatchObject({ field: "from" })
  })

  it("names nothing among what changed a thing that counts for nothing", async () => {
    const { changes } = await ask((history) =>
      Effect.gen(function* () {
        const log = yield* EventLog
        const position = yield* log.head
        const registry = yield* Registry
        const beta = yield* registry.servers.get("beta")
        const event = { id: yield* Id.make, type: "Inert", schema: 1, data: {}, meta: { actor: "root", via: "library", machine: "vm", commandId: yield* Id.make }, occurredAt: new Date().toISOString() } as const // biome-ignore format: one event
        yield* log.append([{ stream: `server-${beta.id}`, expected: "any", events: [event] }], {})
        yield* registry.servers.update("beta", { role: "staging" })
        return yield* history.diff(String(position), String(position + 2))
      }).pipe(Effect.orDie),
    )
    expect(changes.map(({ causes, name }) => [name, causes.map(({ type }) => type)])).toEqual([
      ["beta", ["ServerUpdated"]],
    ])
  })

  it("needs moments that are there", async () => {
    const error = await ask((history) => Effect.flip(history.diff("1", "99")))
    expect(error.message).toContain("ends at position 6")
    const beyond = await ask((history) => Effect.flip(history.diff("1", "9999-12-31T23:00-02:00")))
    expect(beyond.message).toMatch(/to: is beyond now, which is \d{4}-/)
    const soon = new Date(Date.now() + 30_000).toISOString()
    expect(await ask((history) => history.diff("1", soon))).toMatchObject({ from: 1, to: 6 })
  })
})

describe("the life of one thing", () => {
  it("is every event of it, under any name it had", async () => {
    const expected = ["ServerAdded", "ServerRenamed", "ServerUpdated"]
    for (const name of ["alpha", "omega"]) {
      const life = await ask((history) => history.life(name))
      expect(life.map((event) => event.type)).toEqual(expected)
      expect(life[2]?.fields).toEqual([{ field: "role", before: null, after: "staging" }])
    }
  })

  it("is told of what is gone, too", async () => {
    const life = await ask((history) => history.life("api"))
    expect(life.map((event) => event.type)).toEqual(["ServiceAdded", "ServiceRemoved"])
  })

  it("is that of each thing which had the name, told apart; or of the one on a server", async () => {
    await inWorld(
      Effect.gen(function* () {
        const { servers, services } = yield* Registry
        const { life } = yield* History
        for (const name of ["alpha", "beta"]) {
          yield* servers.add({ name })
          yield* services.add({ name: "api", server: name })
        }
        yield* services.update("beta/api", { port: 80 })
        const both = (yield* life("api")).map(({ thing, type }) => [type, thing])
        expect(both).toEqual([
          ["ServiceAdded", "service alpha/api"],
          ["ServiceAdded", "service beta/api"],
          ["ServiceUpdated", "service beta/api"],
        ])
        expect(yield* life("beta/api")).toMatchObject([{ thing: "service beta/api" }, { type: "ServiceUpdated" }])
        // It moves with all its life, is renamed, and comes anew: each of the names leads to it, and no two look alike.
        yield* services.rename("beta/api", "web")
        yield* services.update("beta/web", { server: "alpha" })
        for (const name of ["beta/api", "alpha/web", "beta/web"]) expect(yield* life(name)).toHaveLength(4)
        yield* services.remove("alpha/api")
        yield* services.add({ name: "api", server: "alpha" })
        const again = (yield* life("alpha/api")).map(({ stream, thing }) => [stream, thing])
        expect(new Set(again.map(([, thing]) => thing)).size).toBe(new Set(again.map(([stream]) => stream)).size)
        expect(again[0]?.[1]).toMatch(/^service alpha\/api \([0-9a-f-]{36}\)$/)
        expect(yield* Effect.flip(life("gamma/api"))).toMatchObject({ _tag: "NotFound" })
        expect(yield* Effect.flip(life("alpha/ap"))).toMatchObject({ suggestions: ["alpha/api"] })
      }).pipe(Effect.provide(History.layer)),
    )
  })

  it("of a machine is its own part of who may write, by any name it ever had", async () => {
    await inWorld(
      Effect.gen(function* () {
        const { life } = yield* History
        const log = yield* EventLog
        const key = (id: string, name: string) => ({ machineId: id.repeat(16), name, publicKey: "k" })
        const all = [
          ["RootEstablished", { ...key("a", "laptop"), machines: [key("b", "phone")] }],
          ["InviteIssued", { inviteId: "c".repeat(16) }],
          ["EnrolmentRequested", { ...key("d", "vm"), invite: { inviteId: "c".repeat(16) } }],
          ["MachineRenamed", { machineId: "d".repeat(16), from: "vm", to: "server" }],
          ["MachineRevoked", { machineId: "b".repeat(16), name: "phone" }],
        ] as const
        const meta = { actor: "ada", via: "library", machine: "laptop", commandId: "c" }
        const events = all.map(([type, data], index) => ({ id: `e-${index}`, type, data, meta }))
        yield* log.append([{ stream: "machine-all", expected: "any", events }] as never)
        const positions = (text: string) => Effect.map(life(text), (found) => found.map(({ position }) => position))
        expect(yield* positions("laptop")).toEqual([1])
        expect(yield* positions("phone")).toEqual([1, 5])
        for (const text of ["vm", "server", "d".repeat(16), "d".repeat(8)])
          expect(yield* positions(text)).toEqual([3, 4])
        expect(yield* positions("c".repeat(16))).toEqual([2, 3])
        expect(yield* positions("machine-all")).toEqual([1, 2, 3, 4, 5])
        expect(yield* Effect.flip(life("phon"))).toMatchObject({ suggestions: ["phone"] })
      }).pipe(Effect.provide(History.layer)),
    )
  })

  it("suggests the nearest for a wrong name", async () => {
    expect(await ask((history) => Effect.flip(history.life("omgea")))).toMatchObject({ suggestions: ["omega"] })
  })

  it("may be asked by the stream", async () => {
    const life = await inWorld(
      Effect.gen(function* () {
        yield* story
        const [first] = yield* (yield* EventLog).read(yield* streamOfFirst)
        return yield* Effect.flatMap(History, (history) => history.life(first?.stream ?? ""))
      }).pipe(Effect.provide(History.layer)),
    )
    expect(life.length).toBe(3)
  })
})

const streamOfFirst = Effect.flatMap(Registry, (registry) =>
  Effect.map(registry.servers.get("omega"), (server) => `server-${server.id}`),
)
