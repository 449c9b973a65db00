/** A log of one machine that got its end back by an import: from an older copy of its file, or from one whose end was cut off. */
import { copyFileSync } from "node:fs"
import { Audit } from "@context-engine/core/services/Audit"
import type { Maintenance } from "@context-engine/core/services/Maintenance"
import { Registry } from "@context-engine/core/services/Registry"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { beforeAll, expect, it } from "vitest"
import { layer } from "../src/layer.js"
import * as SqlAudit from "../src/SqlAudit.js"
import * as SqlMaintenance from "../src/SqlMaintenance.js"
import { released } from "./durability/verify.js"
import { freshPath, withSqlite } from "./support/files.js"
import { eventsOf } from "./support/machines.js"

const keyPath = `${freshPath()}.key`
const inLog = <A, E>(path: string, story: Effect.Effect<A, E, Registry | Audit | Maintenance>) =>
  Effect.runPromise(
    Effect.provide(
      story,
      Layer.mergeAll(Registry.layer, SqlAudit.layerWith({ keyPath }), SqlMaintenance.layer).pipe(
        Layer.provideMerge(layer(path, { keyPath })),
      ),
    ),
  )

const add = (name: string) => Effect.flatMap(Registry, ({ servers }) => servers.add({ name }))
const service = (name: string) => Effect.flatMap(Registry, ({ services }) => services.add({ name, server: "a" }))
const commands: ReadonlyArray<Effect.Effect<unknown, unknown, Registry>> = [
  add("a"),
  service("x"),
  service("y"),
  // Three events, which one signature spans.
  Effect.flatMap(Registry, ({ servers }) => servers.remove("a", { cascade: true })),
  add("b"),
  add("c"),
]

const older: Array<string> = []
let whole: string
let lines: ReadonlyArray<string>
beforeAll(async () => {
  whole = freshPath()
  for (const command of commands) {
    await inLog(whole, command)
    await released(whole)
    older.push(freshPath())
    copyFileSync(whole, older.at(-1) as string)
  }
  lines = Chunk.toReadonlyArray(
    await inLog(
      whole,
      Effect.flatMap(Audit, (audit) => Stream.runCollect(audit.export)),
    ),
  )
})

const importAll = Effect.flatMap(Audit, (audit) => audit.import(Stream.fromIterable(lines)))

/** Nothing of it is told as missing, now or when it goes on. */
const expectWhole = async (path: string) => {
  expect(eventsOf(path)).toEqual(eventsOf(whole))
  await inLog(path, add("later"))
  const breaks = withSqlite(path, (database) => database.prepare("SELECT * FROM breaks").all())
  expect(breaks).toEqual([])
  expect(
    await inLog(
      path,
      Effect.flatMap(Audit, (audit) => audit.verify()),
    ),
  ).toMatchObject({ ok: true, findings: [] })
}

it.each(commands.map((_, index) => index))("an older copy, of after command %i", async (index) => {
  const path = freshPath()
  copyFileSync(older[index] as string, path)
  await inLog(path, importAll)
  await expectWhole(path)
})

it.each([1, 2, 3, 4, 5, 6, 7, 8])("one that was cut off after event %i, and taken as it was", async (last) => {
  const path = freshPath()
  copyFileSync(whole, path)
  withSqlite(path, (database) => {
    const [{ sql }] = database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'events_no_delete'").all()
    database.exec(`DROP TRIGGER events_no_delete; DELETE FROM events WHERE position > ${last}; ${sql}`)
  })
  await inLog(
    path,
    Effect.flatMap(Audit, (audit) => audit.accept),
  )
  await inLog(path, importAll)
  await expectWhole(path)
})
