/** A log that nobody may write to is found out before anything is done on a host, and everybody who is asked says the same of it. */
import { execFileSync } from "node:child_process"
import { rmSync } from "node:fs"
import { dirname } from "node:path"
import { EventLog } from "@context-engine/core/EventLog"
import { Alerts } from "@context-engine/core/services/Alerts"
import type { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect, it } from "vitest"
import { writable } from "../src/doctor/writable.js"
import * as SqlSync from "../src/sync/SqlSync.js"
import { freshPath } from "./support/files.js"
import { addServers, inLog, serverNames } from "./support/live.js"

/** What no right of the user goes round: root writes to a file whatever its mode says. */
const immutable = (path: string, is: boolean) => execFileSync("chattr", [is ? "+i" : "-i", path], { stdio: "pipe" })

const can = (() => {
  const path = freshPath()
  try {
    execFileSync("touch", [path])
    immutable(path, true)
    immutable(path, false)
    return true
  } catch {
    return false
  }
})()

const alerts = Effect.flatMap(Alerts, ({ list }) => list).pipe(
  Effect.provide(Alerts.layer.pipe(Layer.provide(SqlSync.layer({})))),
)

const refusalOf = (refused: Effect.Effect<unknown, Error, EventLog | Registry>) =>
  Effect.map(Effect.flip(refused), ({ message }) => message)

/** That nothing can be written to a log, for the flag of its file or directory, in the words of everybody who is asked. */
const saysWhy = (path: string, flagged: string) =>
  Effect.gen(function* () {
    const found = `${flagged} has a flag that keeps everybody from writing it`
    const fix = `chattr -i ${flagged}`
    const { obstacle, ready } = yield* EventLog
    const named = flagged === path ? "" : `${path}: `
    expect(yield* refusalOf(ready)).toBe(`${named}${found}; nothing was written: ${fix}`)
    expect(yield* obstacle).toEqual({ reason: "unavailable", found, fix })
    const message = `no command can write to the log: ${found}`
    expect(yield* alerts).toMatchObject([{ severity: "critical", subject: "the log", message, next: fix }])
    expect(yield* writable(path).look).toMatchObject([{ level: "trouble", found: message, fix }])
  })

const story = (path: string, flagged: string) =>
  Effect.gen(function* () {
    yield* saysWhy(path, flagged)
    expect(yield* refusalOf(addServers("beta"))).toBe(yield* refusalOf((yield* EventLog).ready))
    immutable(flagged, false)
  }).pipe(Effect.ensuring(Effect.sync(() => immutable(flagged, false))))

it.skipIf(!can)("is told of by whoever asks, and written to again by who had it open all the time", async () => {
  const path = freshPath()
  await inLog(path, addServers("alpha"))
  // Before it is opened: who has it open already may go on writing.
  immutable(path, true)
  const both = Effect.gen(function* () {
    yield* story(path, path)
    const log = yield* EventLog
    expect([yield* log.obstacle, yield* alerts]).toEqual([null, []])
    yield* log.ready
    yield* addServers("gamma")
    // Nobody acts on a host who is not sure to be able to tell of it.
    immutable(path, true)
    yield* saysWhy(path, path)
    immutable(path, false)
  })
  await inLog(path, both)
  expect(await inLog(path, serverNames)).toEqual(["alpha", "gamma"])
})

it.skipIf(!can)(
  "is told of by its directory, also to who has to be started again once that can be written",
  async () => {
    const path = freshPath()
    await inLog(path, addServers("alpha"))
    for (const end of ["-wal", "-shm"]) rmSync(path + end, { force: true })
    immutable(dirname(path), true)
    const both = Effect.gen(function* () {
      yield* story(path, dirname(path))
      const found = `${path} could only be read when it was opened`
      const fix = "start again what has it open (context infra serve, sync watch)"
      expect(yield* (yield* EventLog).obstacle).toEqual({ reason: "unavailable", found, fix })
    })
    await inLog(path, both)
    await inLog(path, addServers("gamma"))
    expect(await inLog(path, serverNames)).toEqual(["alpha", "gamma"])
  },
)
