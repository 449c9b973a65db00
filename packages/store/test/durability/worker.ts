/** What a child process does to a log; `processes.ts` starts it. Its first argument says which of these. */
import { readdirSync, statSync, writeSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname } from "node:path"
import { createInterface } from "node:readline"
import { Commands } from "@context-engine/core/Commands"
import type { StorageError } from "@context-engine/core/Errors"
import { EventLog, type StreamAppend } from "@context-engine/core/EventLog"
import { Origin } from "@context-engine/core/Origin"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Registry } from "@context-engine/core/services/Registry"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { NativeConnection } from "../../src/connection.js"
import { Database } from "../../src/Database.js"
import { layer } from "../../src/layer.js"
import { assertOneNative } from "../../src/native.js"
import { remoteLog } from "../../src/sync/http.js"
import * as SqlSync from "../../src/sync/SqlSync.js"
import { anyCommand } from "../support/commands.js"
import { nowOrJoin } from "../support/nowOrJoin.js"
import { randomFrom } from "../support/random.js"
import { mixed, single, triple } from "./appends.js"
import { inspect } from "./inspect.js"
import type { Failure, Said } from "./processes.js"
import { released } from "./verify.js"

/** Written at once, so that what was said was said before whatever comes next. */
const say = (said: Said): void => {
  const line = Buffer.from(`${JSON.stringify(said)}\n`)
  for (let written = 0; written < line.length; ) written += writeSync(1, line, written)
}

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const heard = Effect.promise(async () => (await input.next()).value as string | undefined)

const failureOf = (cause: Cause.Cause<unknown>): Failure => {
  const failure = Cause.failureOrCause(cause)
  if (failure._tag === "Right") return { tag: "defect", message: Cause.pretty(cause) }
  const error = failure.left as { _tag?: string; reason?: string; message?: string }
  return { tag: error._tag ?? "Error", reason: error.reason, message: String(error.message) }
}

type Appends = ReadonlyArray<StreamAppend>

/** Appends, and says so once it was acknowledged. */
const append = (appends: Appends, more: () => object = () => ({})) =>
  Effect.flatMap(EventLog, (log) =>
    Effect.tap(log.append(appends), (events) =>
      Effect.sync(() => {
        say({ kind: "ack", events: events.map(({ id, position }) => [id, position] as const), ...more() })
      }),
    ),
  )

/** A log that says what was acknowledged. */
const telling = Layer.effect(
  EventLog,
  Effect.map(EventLog, (log) => {
    let first = true
    const tell = (events: ReadonlyArray<{ readonly id: string; readonly position: number }>) => {
      say({ kind: "ack", events: events.map(({ id, position }) => [id, position] as const) })
      if (first) say({ kind: "ready", sinceStart: performance.now(), sinceOpen: 0 })
      first = false
    }
    return EventLog.of({
      ...log,
      append: (...args) => Effect.tap(log.append(...args), (events) => Effect.sync(() => tell(events))),
    })
  }),
)

const fibers = (count: number, each: (fiber: number) => Effect.Effect<unknown, any, any>) =>
  Effect.all(
    Array.from({ length: count }, (_, fiber) => each(fiber)),
    { concurrency: "unbounded" },
  )

const roles = {
  /** Writes from several fibers until it is killed. */
  write: (path: string, seed: string, count: string) => {
    let opened = 0
    let first = true
    const ready = () => {
      if (first) say({ kind: "ready", sinceStart: performance.now(), sinceOpen: performance.now() - opened })
      first = false
    }
    const fiber = (number: number) => {
      const random = randomFrom(Number(seed) + number)
      return Effect.forever(
        Effect.tap(
          Effect.suspend(() => append(mixed(random))),
          ready,
        ),
      )
    }
    say({ kind: "starting" })
    opened = performance.now()
    return Effect.provide(fibers(Number(count), fiber), layer(path))
  },

  /** Gives commands and synchronises at the same time, until it is killed. */
  sync: (path: string, url: string, token: string, seed: string, name: string) => {
    const keyPath = `${path}.key`
    const remote = remoteLog({ url, token: Redacted.make(token) }, { deadline: "2 seconds" })
    const live = Layer.mergeAll(Registry.layer, SqlSync.layer({ keyPath, remote })).pipe(
      // A second one, over the log that says what it was given.
      Layer.provideMerge(Layer.fresh(Commands.layer)),
      Layer.provideMerge(telling),
      Layer.provideMerge(layer(path, { keyPath })),
    )
    const random = randomFrom(Number(seed))
    const work = Effect.zipRight(Effect.either(Effect.suspend(() => anyCommand(random))), Effect.sleep(2))
    const synchronise = Effect.zipRight(Effect.either(nowOrJoin()), Effect.sleep(5))
    say({ kind: "starting" })
    return Effect.all([Effect.forever(work), Effect.forever(synchronise)], { concurrency: 2 }).pipe(
      Effect.provideService(Origin, { actor: name, via: "library", machine: name }),
      Effect.provide(live),
    )
  },

  /** Appends one after the other, when told to begin, and gives the latencies in milliseconds. */
  append: (path: string, count: string) =>
    Effect.gen(function* () {
      yield* (yield* EventLog).head
      say({ kind: "starting" })
      yield* heard
      const latencies: Array<number> = []
      for (let i = 0; i < Number(count); i++) {
        const appends = triple()
        const start = performance.now()
        const events = yield* (yield* EventLog).append(appends)
        latencies.push(performance.now() - start)
        say({ kind: "ack", events: events.map(({ id, position }) => [id, position]) })
      }
      say({ kind: "result", result: latencies })
    }).pipe(Effect.provide(layer(path))),

  /** Reads a log of triples over and over until told to stop, and gives what was not consistent. */
  read: (path: string) =>
    Effect.gen(function* () {
      const models = yield* ReadModels
      const database = yield* Database
      const log = yield* EventLog
      const wrong: Array<string> = []
      let reads = 0
      let stopped = false
      yield* Effect.fork(
        Effect.map(heard, () => {
          stopped = true
        }),
      )
      say({ kind: "starting" })
      while (!stopped) {
        const { position: before } = yield* models.asOf
        const [last] = yield* models.infraEvents.list({ order: { by: "position", descending: true }, limit: 1 })
        const { position: after } = yield* models.asOf
        const told = last?.position ?? 0
        if ([before, told, after].some((position) => position % 3 !== 0))
          wrong.push(`half: ${before}, ${told}, ${after}`)
        if (told < before || after < told) wrong.push(`rows at ${told}, the log at ${before} before and ${after} after`)
        const counts = yield* database.read((connection) =>
          connection
            .prepare(
              `SELECT (SELECT count(*) FROM events), (SELECT max(position) FROM events), (SELECT position FROM checkpoint),
                (SELECT count(*) FROM servers) * 3 / 2, (SELECT count(*) FROM infra_events)`,
            )
            .get(),
        )
        if (new Set(counts.map((count: number | null) => count ?? 0)).size !== 1) wrong.push(`one snapshot: ${counts}`)
        const page = Chunk.toReadonlyArray(yield* Stream.runCollect(log.readAll({ after: Math.max(0, after - 30) })))
        if (page.length % 3 !== 0) wrong.push(`half an append at the end of ${page.length} events`)
        reads += 1
        // Not a wait for anything: a reader that does not take the whole processor.
        yield* Effect.sleep("20 millis")
      }
      say({ kind: "result", result: { reads, wrong } })
    }).pipe(Effect.provide(layer(path))),

  /** Holds the write lock until told to let go. */
  hold: (path: string) =>
    Effect.gen(function* () {
      const connection = new NativeConnection(path, 5_000)
      connection.exec("BEGIN IMMEDIATE")
      say({ kind: "held" })
      yield* heard
      connection.exec("ROLLBACK")
      connection.close()
      say({ kind: "done" })
    }),

  /** Opens each file that it is told of, and gives what it found there. */
  inspect: () =>
    Effect.promise(async () => {
      for (;;) {
        const { done, value } = await input.next()
        if (done) return
        say({ kind: "result", result: await inspect(value) })
      }
    }),

  /** Appends one by one and tells the size of the log after each; keeps the file open until it is killed. */
  sizes: (path: string, seed: string, count: string) =>
    Effect.gen(function* () {
      const random = randomFrom(Number(seed))
      for (let i = 0; i < Number(count); i++) {
        yield* append(mixed(random), () => ({ walSize: statSync(`${path}-wal`).size }))
      }
      say({ kind: "done" })
      yield* Effect.never
    }).pipe(Effect.provide(layer(path))),

  /** Appends many and gives what the process held of descriptors and memory on the way. */
  grow: (path: string, count: string, every: string) =>
    Effect.gen(function* () {
      const samples: Array<object> = []
      const sample = () => {
        globalThis.gc?.()
        const { heapUsed, rss } = process.memoryUsage()
        samples.push({ descriptors: readdirSync("/proc/self/fd").length, rss, heapUsed })
      }
      const log = yield* EventLog
      for (let done = 0; done < Number(count); done += Number(every)) {
        const some = Array.from({ length: Number(every) }, () => Effect.suspend(() => log.append(single())))
        yield* Effect.all(some, { concurrency: 8, discard: true })
        sample()
      }
      say({ kind: "result", result: samples })
    }).pipe(Effect.provide(layer(path))),

  /** Opens and closes the log many times, and gives the number of descriptors after the first and after the last. */
  reopen: (path: string, count: string) =>
    Effect.gen(function* () {
      const once = Effect.suspend(() => Effect.flatMap(EventLog, (log) => log.append(single())))
      const descriptors = Effect.promise(() => released(path)).pipe(
        Effect.map(() => readdirSync("/proc/self/fd").length),
      )
      const open = Effect.suspend(() => Effect.provide(once, layer(path)))
      yield* open
      const before = yield* descriptors
      yield* Effect.replicateEffect(open, Number(count))
      say({ kind: "result", result: { before, after: yield* descriptors } })
    }),

  /** Appends from several fibers until each has failed; then, whenever it is told to, ten more. */
  fill: (path: string, seed: string, count: string) =>
    Effect.gen(function* () {
      const until = (fiber: number) => {
        const random = randomFrom(Number(seed) + fiber)
        return Effect.sandbox(Effect.forever(Effect.suspend(() => append(mixed(random))))).pipe(
          Effect.catchAll((cause) => Effect.succeed(failureOf(cause))),
        )
      }
      say({ kind: "result", result: yield* fibers(Number(count), until) })
      // While there is no room: every try fails by itself, and none breaks the next.
      const again = Effect.map(Effect.sandbox(append(single())).pipe(Effect.either), (result) =>
        result._tag === "Right" ? "appended" : failureOf(result.left),
      )
      for (;;) {
        const line = yield* heard
        if (line === undefined || line === "end") return
        say({ kind: "result", result: yield* Effect.replicateEffect(again, 10) })
      }
    }).pipe(Effect.provide(layer(path))),

  /** Loads another copy of the driver beside ours, and asks before and after whether that is noticed. */
  natives: (path: string, other?: string) =>
    Effect.gen(function* () {
      yield* Effect.provide(EventLog, layer(path))
      const start = performance.now()
      assertOneNative()
      const took = performance.now() - start
      if (other !== undefined) createRequire(import.meta.url)(other)
      const error = yield* Effect.try({ try: () => assertOneNative(), catch: (thrown) => thrown as StorageError }).pipe(
        Effect.match({ onFailure: ({ message, reason }) => ({ reason, message }), onSuccess: () => null }),
      )
      say({ kind: "result", result: { took, error } })
    }),
}

const [role, ...args] = process.argv.slice(2) as [keyof typeof roles, ...Array<string>]
process.title = `durability ${role} ${dirname(args[0] ?? "")}`
const work = (roles[role] as (...args: ReadonlyArray<string>) => Effect.Effect<unknown, unknown, never>)(...args)
const exit = await Effect.runPromiseExit(work)
if (exit._tag === "Failure") say({ kind: "error", error: failureOf(exit.cause) })
process.exit(exit._tag === "Failure" ? 1 : 0)
