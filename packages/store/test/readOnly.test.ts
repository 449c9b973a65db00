/** A file that nobody may write to is found out before anything is done on a host, and not by the first event of it. */
import { execFileSync } from "node:child_process"
import { EventLog } from "@context-engine/core/EventLog"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
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

it.skipIf(!can)("is told of by whoever asks, and written to again by who had it open all the time", async () => {
  const path = freshPath()
  await inLog(path, addServers("alpha"))
  // Before it is opened: who has it open already may go on writing.
  immutable(path, true)
  const story = Effect.gen(function* () {
    const log = yield* EventLog
    const { servers } = yield* Registry
    const head = yield* log.head
    for (const refused of [log.ready, servers.add({ name: "beta" })]) {
      const { message } = yield* Effect.flip(refused as Effect.Effect<unknown, Error>)
      expect(message).toContain("may only be read here")
      expect(message).toContain("nothing was written")
    }
    immutable(path, false)
    yield* log.ready
    yield* addServers("gamma")
    expect(yield* log.head).toBe(head + 1)
  })
  await inLog(
    path,
    Effect.ensuring(
      story,
      Effect.sync(() => immutable(path, false)),
    ),
  )
  expect(await inLog(path, serverNames)).toEqual(["alpha", "gamma"])
})
