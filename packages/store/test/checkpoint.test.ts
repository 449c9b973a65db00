/** What is committed is in the file itself once nobody writes any more, and what waits beside it stays small. */
import { copyFileSync, statSync } from "node:fs"
import { EventLog } from "@context-engine/core/EventLog"
import { Audit } from "@context-engine/core/services/Audit"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import { Registry } from "@context-engine/core/services/Registry"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { NativeConnection } from "../src/connection.js"
import { layer } from "../src/layer.js"
import * as SqlAudit from "../src/SqlAudit.js"
import * as SqlMaintenance from "../src/SqlMaintenance.js"
import { make } from "../src/sync/RemoteLog.js"
import * as SqlSync from "../src/sync/SqlSync.js"
import { unknownEvent } from "./support/events.js"
import { freshPath, withSqlite } from "./support/files.js"
import { eventsOf } from "./support/machines.js"
import { makeSequencer } from "./support/sequencer.js"

const live = (path: string, remote = make("memory", makeSequencer().batch)) =>
  Layer.mergeAll(Registry.layer, SqlAudit.layer, SqlMaintenance.layer, SqlSync.layer({ remote })).pipe(
    Layer.provideMerge(layer(path)),
  )

type Live = Layer.Layer.Success<ReturnType<typeof live>>

const add = (name: string) => Effect.flatMap(Registry, (registry) => registry.servers.add({ name }))
const append = (count: number) =>
  Effect.flatMap(EventLog, (log) =>
    log.append(
      Array.from({ length: count }, (_, i) => ({ stream: `server-${i}`, expected: "any", events: [unknownEvent()] })),
    ),
  )

/** A line of an exported log, of a server. */
const exported = async () => {
  const path = freshPath()
  const lines = Effect.flatMap(Audit, (audit) => Stream.runCollect(audit.export))
  return [...(await Effect.runPromise(Effect.provide(Effect.zipRight(add("far"), lines), live(path))))]
}

const writers: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown, Live>]> = [
  ["opening a new log", Effect.void],
  ["a command", add("alpha")],
  ["an append of many events", append(3_000)],
  [
    "an import",
    Effect.flatMap(Effect.promise(exported), (lines) =>
      Effect.flatMap(Audit, (audit) => audit.import(Stream.fromIterable(lines))),
    ),
  ],
  [
    "a rebuild",
    Effect.zipRight(
      add("alpha"),
      Effect.flatMap(Maintenance, (care) => care.rebuild()),
    ),
  ],
  [
    "a synchronisation",
    Effect.zipRight(
      add("alpha"),
      Effect.flatMap(Sync, (sync) => sync.now()),
    ),
  ],
]

describe("closed, the file alone is the whole log", () => {
  it.each(writers)("after %s", async (_, story) => {
    const path = freshPath()
    await Effect.runPromise(Effect.provide(story, live(path)))
    const alone = freshPath()
    copyFileSync(path, alone)
    const wal = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
    expect(wal).toBe(0)
    expect(eventsOf(alone)).toEqual(eventsOf(path))
    const verify = Effect.flatMap(Audit, (audit) => audit.verify())
    expect(await Effect.runPromise(Effect.provide(verify, live(alone)))).toMatchObject({ ok: true })
  })

  it("also where another process has it open, and reads", async () => {
    const path = freshPath()
    await Effect.runPromise(Effect.provide(add("alpha"), live(path)))
    const reader = new NativeConnection(path, 0)
    reader.exec("BEGIN")
    reader.prepare("SELECT count(*) FROM events").get()
    // What is newer than what it reads has to wait for it; whoever writes next takes it along.
    await Effect.runPromise(Effect.provide(add("beta"), live(path)))
    reader.exec("COMMIT")
    await Effect.runPromise(Effect.provide(add("gamma"), live(path)))
    const alone = freshPath()
    copyFileSync(path, alone)
    expect(withSqlite(alone, (database) => database.prepare("SELECT count(*) AS n FROM events").get().n)).toBe(3)
    reader.close()
  })

  it("and who only reads writes nothing into it", async () => {
    const path = freshPath()
    await Effect.runPromise(Effect.provide(add("alpha"), live(path)))
    const { mtimeMs } = statSync(path)
    const head = Effect.flatMap(EventLog, (log) => log.head)
    expect(await Effect.runPromise(Effect.provide(head, live(path)))).toBe(1)
    expect(statSync(path).mtimeMs).toBe(mtimeMs)
  })
})

describe("what is not yet in the file itself", () => {
  it("is small again when a long read is over, while the writer goes on", async () => {
    const path = freshPath()
    const sizes = Effect.gen(function* () {
      const size = () => statSync(`${path}-wal`).size
      yield* append(1)
      const reader = new NativeConnection(path, 0)
      reader.exec("BEGIN")
      reader.prepare("SELECT count(*) FROM events").get()
      for (let i = 0; i < 12; i++) yield* append(5_000)
      const during = size()
      reader.exec("COMMIT")
      reader.close()
      for (let i = 0; i < 3; i++) yield* append(100)
      return { during, after: size() }
    })
    const { after, during } = await Effect.runPromise(Effect.provide(sizes, live(path)))
    expect(during).toBeGreaterThan(20_000_000)
    expect(after).toBeLessThan(17_000_000)
  })
})
