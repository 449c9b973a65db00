/** A file that nobody may write to is found out before anything is done on a host, and not by the first event of it. */
import { EventLog } from "@context-engine/core/EventLog"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { Database } from "../src/Database.js"
import { freshPath } from "./support/files.js"
import { addServers, inLog, serverNames } from "./support/live.js"

/** As rights, a flag or a mount do it: SQLite refuses the first write, and no transaction before that. */
const only = (read: boolean) =>
  Effect.flatMap(Database, (database) =>
    database.read((connection) => connection.exec(`PRAGMA query_only = ${read ? "ON" : "OFF"}`)),
  )

it("is told of by whoever asks whether it may be written to", async () => {
  const path = freshPath()
  const story = Effect.gen(function* () {
    yield* addServers("alpha")
    const log = yield* EventLog
    const { servers } = yield* Registry
    const head = yield* log.head
    yield* log.ready
    yield* only(true)
    for (const refused of [log.ready, servers.add({ name: "beta" })]) {
      const { message } = yield* Effect.flip(refused as Effect.Effect<unknown, Error>)
      expect(message).toContain("may only be read here")
      expect(message).toContain("nothing was written")
    }
    yield* only(false)
    yield* log.ready
    yield* addServers("gamma")
    expect(yield* log.head).toBe(head + 1)
  })
  await inLog(path, story)
  expect(await inLog(path, serverNames)).toEqual(["alpha", "gamma"])
})
