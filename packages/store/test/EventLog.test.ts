import type { Commands } from "@context-engine/core/Commands"
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import { layerMemory } from "@context-engine/core/testing/memory"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { refolded } from "../../core/test/support/refolded.js"
import { layer } from "../src/layer.js"
import { serverAdded, unknownEvent, uuid } from "./support/events.js"
import { freshPath } from "./support/files.js"

type Log = EventLog | ReadModels | Commands

/** What every log promises, whatever it is kept in. */
const suite = (name: string, makeLayer: () => Layer.Layer<Log, unknown>) => {
  const inLog = <A, E>(story: Effect.Effect<A, E, Log>) =>
    Effect.runPromise(
      story.pipe(Effect.zipLeft(refolded), Effect.provide(makeLayer()), Effect.scoped) as Effect.Effect<A, E>,
    )
  const append = (stream: string, expected: number | "any", ...events: ReadonlyArray<ReturnType<typeof serverAdded>>) =>
    Effect.flatMap(EventLog, (log) => log.append([{ stream, expected, events }]))
  const everything = Effect.flatMap(EventLog, (log) =>
    Effect.map(Stream.runCollect(log.readAll()), Chunk.toReadonlyArray),
  )

  describe(name, () => {
    it("begins empty", () =>
      inLog(
        Effect.gen(function* () {
          const log = yield* EventLog
          expect(yield* log.head).toBe(0)
          expect(yield* log.read("server-1")).toEqual([])
          expect(yield* everything).toEqual([])
        }),
      ))

    it("gives positions and versions without gaps, over several streams in one append", () =>
      inLog(
        Effect.gen(function* () {
          const log = yield* EventLog
          yield* append("server-a", 0, serverAdded("a"))
          yield* log.append([
            { stream: "server-b", expected: 0, events: [serverAdded("b")] },
            { stream: "server-a", expected: 1, events: [unknownEvent(), unknownEvent()] },
          ])
          const places = (yield* everything).map(({ position, stream, version }) => [position, stream, version])
          expect(places).toEqual([
            [1, "server-a", 1],
            [2, "server-b", 1],
            [3, "server-a", 2],
            [4, "server-a", 3],
          ])
          expect((yield* log.read("server-a", { after: 1 })).map((event) => event.version)).toEqual([2, 3])
        }),
      ))

    it("refuses an append that was decided on an older version, and keeps nothing of it", () =>
      inLog(
        Effect.gen(function* () {
          const log = yield* EventLog
          yield* append("server-a", 0, serverAdded("a"))
          const error = yield* Effect.flip(
            log.append([
              { stream: "server-b", expected: 0, events: [serverAdded("b")] },
              { stream: "server-a", expected: 0, events: [unknownEvent()] },
            ]),
          )
          expect(error).toMatchObject({ _tag: "VersionConflict", stream: "server-a", expected: 0, actual: 1 })
          expect(yield* log.head).toBe(1)
        }),
      ))

    it("refuses an append that was decided on an older head, where that matters", () =>
      inLog(
        Effect.gen(function* () {
          const log = yield* EventLog
          yield* append("server-a", 0, serverAdded("a"))
          const late = log.append([{ stream: "server-b", expected: 0, events: [serverAdded("b")] }], { head: 0 })
          expect((yield* Effect.flip(late))._tag).toBe("VersionConflict")
          yield* log.append([{ stream: "server-b", expected: 0, events: [serverAdded("b")] }], { head: 1 })
        }),
      ))

    it("takes facts at whatever version the stream is", () =>
      inLog(
        Effect.gen(function* () {
          yield* append("server-a", "any", serverAdded("a"))
          const [event] = yield* append("server-a", "any", unknownEvent())
          expect(event).toMatchObject({ version: 2, type: "MoonLanded" })
        }),
      ))

    it("refuses a row whose unique key is taken, and keeps nothing of the append", () =>
      inLog(
        Effect.gen(function* () {
          const models = yield* ReadModels
          yield* append("server-a", 0, serverAdded("alpha"))
          const error = yield* Effect.flip(append("server-b", 0, serverAdded("alpha")))
          expect(error).toMatchObject({ _tag: "UniqueViolation", view: "servers", columns: ["name"] })
          expect((yield* models.servers.list()).length).toBe(1)
          expect(yield* (yield* EventLog).head).toBe(1)
          // Nor of what it remembers: the stream that was refused is still to begin.
          yield* append("server-b", 0, serverAdded("beta"))
          expect(yield* (yield* EventLog).read("server-b")).toMatchObject([{ version: 1 }])
        }),
      ))

    it("keeps rows up to the last event", () =>
      inLog(
        Effect.gen(function* () {
          const models = yield* ReadModels
          yield* append("server-a", 0, serverAdded("alpha"), {
            ...serverAdded(""),
            type: "ServerRenamed",
            data: { from: "alpha", to: "omega" },
          })
          expect(yield* models.servers.get("a")).toMatchObject({ id: "a", name: "omega", tags: [], local: false })
          expect(yield* models.asOf).toMatchObject({ position: 2 })
          yield* append("server-a", 2, { ...serverAdded(""), type: "ServerRemoved", data: { name: "omega" } })
          expect(yield* models.servers.get("a")).toBeUndefined()
        }),
      ))

    it("keeps an event of a type it does not know, and tells it raw", () =>
      inLog(
        Effect.gen(function* () {
          const models = yield* ReadModels
          yield* append("moon-1", 0, unknownEvent())
          expect(yield* models.infraEvents.list()).toMatchObject([
            { type: "unknown", title: "MoonLanded (not known to this version)", metadata: { where: "tranquillity" } },
          ])
        }),
      ))

    it("asks rows by value, by list of values, by null, in order, with a limit", () =>
      inLog(
        Effect.gen(function* () {
          const models = yield* ReadModels
          for (const id of ["c", "a", "b"]) yield* append(`server-${id}`, 0, serverAdded(id))
          const names = (query?: Parameters<typeof models.servers.list>[0]) =>
            Effect.map(models.servers.list(query), (rows) => rows.map((row) => row.name))
          expect(yield* names()).toEqual(["a", "b", "c"])
          expect(yield* names({ where: { name: "b" } })).toEqual(["b"])
          expect(yield* names({ where: { name: ["a", "c"], role: null, local: false } })).toEqual(["a", "c"])
          expect(yield* names({ where: { name: [] } })).toEqual([])
          expect(yield* names({ order: { by: "name", descending: true }, limit: 2 })).toEqual(["c", "b"])
          expect(yield* names({ from: { column: "name", value: "b" } })).toEqual(["b", "c"])
        }),
      ))

    it("finds the position of an instant", () =>
      inLog(
        Effect.gen(function* () {
          const log = yield* EventLog
          yield* append("server-a", 0, serverAdded("a"))
          expect(yield* log.positionAt("2000-01-01T00:00:00.000Z")).toBe(0)
          expect(yield* log.positionAt("9999-01-01T00:00:00.000Z")).toBe(1)
        }),
      ))

    it("lets many fibers append at once: all land, in one gapless order", () =>
      inLog(
        Effect.gen(function* () {
          const all = Array.from({ length: 200 }, (_, i) => append(`server-${i}`, 0, serverAdded(`n${i}`)))
          yield* Effect.all(all, { concurrency: 16 })
          const positions = (yield* everything).map((event) => event.position)
          expect(positions).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
        }),
      ))

    it("tells what is appended from now on", () =>
      inLog(
        Effect.gen(function* () {
          const log = yield* EventLog
          yield* append("server-a", 0, serverAdded("a"))
          const following = yield* Effect.fork(Stream.runCollect(Stream.take(log.changes, 2)))
          yield* Effect.yieldNow()
          yield* Effect.sleep("20 millis")
          yield* append("server-b", 0, serverAdded("b"), unknownEvent())
          const seen = Chunk.toReadonlyArray(yield* Fiber.join(following))
          expect(seen.map((event) => event.position)).toEqual([2, 3])
        }),
      ))
  })
}

suite("the log in memory", layerMemory)
suite("the log in a file", () => layer(freshPath()))

describe("the log in a file", () => {
  it("takes the same append twice as once: the answer may have been lost", async () => {
    const path = freshPath()
    const event = serverAdded("a", uuid())
    const appends = [{ stream: "server-a", expected: 0, events: [event] }]
    const twice = Effect.gen(function* () {
      const log = yield* EventLog
      const first = yield* log.append(appends)
      expect(yield* log.append(appends)).toEqual(first)
      const other = [
        { stream: "server-a", expected: 1, events: [{ ...event, data: { ...(event.data as object), name: "z" } }] },
      ]
      expect(yield* Effect.flip(log.append(other))).toMatchObject({ _tag: "StorageError", reason: "corrupt" })
      expect(yield* log.head).toBe(1)
    })
    await Effect.runPromise(Effect.provide(twice, layer(path)))
  })

  it("is there again after it was closed", async () => {
    const path = freshPath()
    const write = Effect.flatMap(EventLog, (log) =>
      log.append([{ stream: "server-a", expected: 0, events: [serverAdded("a")] }]),
    )
    await Effect.runPromise(Effect.provide(write, layer(path)))
    const read = Effect.flatMap(EventLog, (log) => log.read("server-a"))
    const events = await Effect.runPromise(Effect.provide(read, layer(path)))
    expect(events).toMatchObject([{ position: 1, type: "ServerAdded", data: { name: "a" } }])
  })
})

describe("what a host printed", () => {
  it("is kept without the halves of characters and NULs that no database keeps", async () => {
    const story = Effect.gen(function* () {
      const log = yield* EventLog
      const models = yield* ReadModels
      const said = "cut \ud83d, NUL \u0000, a whole 😀, and a written \\ud83d"
      const event = { ...serverAdded("x"), type: "MoonLanded", data: { said } }
      yield* log.append([{ stream: "moon-1", expected: 0, events: [event] }])
      const [row] = yield* models.infraEvents.list()
      const expected = { said: "cut \ufffd, NUL \ufffd, a whole 😀, and a written \\ud83d" }
      expect(row?.metadata).toEqual(expected)
      expect((yield* log.read("moon-1"))[0]?.data).toEqual(expected)
    })
    await Effect.runPromise(Effect.provide(story, layer(freshPath())))
  })
})
