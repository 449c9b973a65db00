/** A file that is replaced or removed while it is open: nothing is read from or written to what nobody can see any more. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Audit } from "@context-engine/core/services/Audit"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import { Registry } from "@context-engine/core/services/Registry"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { Database } from "../src/Database.js"
import { layer } from "../src/layer.js"
import * as SqlAudit from "../src/SqlAudit.js"
import * as SqlMaintenance from "../src/SqlMaintenance.js"
import { make } from "../src/sync/RemoteLog.js"
import * as SqlSync from "../src/sync/SqlSync.js"
import { released } from "./durability/verify.js"
import { serverAdded } from "./support/events.js"
import { freshPath } from "./support/files.js"
import { eventsOf } from "./support/machines.js"
import { makeSequencer } from "./support/sequencer.js"

const live = (path: string) =>
  Layer.mergeAll(
    Registry.layer,
    SqlAudit.layer,
    SqlMaintenance.layer,
    SqlSync.layer({ remote: make("memory", makeSequencer().batch) }),
  ).pipe(Layer.provideMerge(layer(path)))

type Live = Layer.Layer.Success<ReturnType<typeof live>>
type Story = Effect.Effect<unknown, unknown, Live>

const inLog = <A, E>(path: string, story: Effect.Effect<A, E, Live>) =>
  Effect.runPromise(Effect.provide(story, live(path)))

const add = (name: string) => Effect.flatMap(Registry, (registry) => registry.servers.add({ name }))

/** A place for a log under a directory of its own, and another log beside it. */
const places = async () => {
  const other = freshPath()
  await inLog(other, add("other"))
  const path = join(dirname(freshPath()), "here", "infra.db")
  return { path, other }
}

const replacements: ReadonlyArray<readonly [string, (path: string, other: string) => unknown]> = [
  ["another file was moved over it", (path, other) => renameSync(other, path)],
  ["it was removed", (path) => rmSync(path)],
  ["it was moved away", (path) => renameSync(path, `${path}.away`)],
  ["its directory was removed", (path) => rmSync(dirname(path), { recursive: true })],
  ["its directory was moved away", (path) => renameSync(dirname(path), `${dirname(path)}.away`)],
  [
    "its directory was replaced",
    (path, other) => {
      renameSync(dirname(path), `${dirname(path)}.away`)
      mkdirSync(dirname(path))
      copyFileSync(other, path)
    },
  ],
  // A restore itself is refused while a program has the log open.
  [
    "a copy of another was put over it",
    (path, other) => {
      copyFileSync(other, `${path}.new`)
      renameSync(`${path}.new`, path)
    },
  ],
]

const uses: ReadonlyArray<readonly [string, Story]> = [
  ["a command", add("later")],
  ["an append", Effect.flatMap(EventLog, (log) => log.append([{ stream: "s", expected: "any", events: [serverAdded("s")] }]))], // biome-ignore format: one row
  ["the head", Effect.flatMap(EventLog, (log) => log.head)],
  ["the events", Effect.flatMap(EventLog, (log) => Stream.runCollect(log.readAll()))],
  ["a view", Effect.flatMap(ReadModels, (models) => models.servers.list())],
  ["a row", Effect.flatMap(ReadModels, (models) => models.servers.get("x"))],
  ["an audit", Effect.flatMap(Audit, (audit) => audit.verify())],
  ["an export", Effect.flatMap(Audit, (audit) => Stream.runDrain(audit.export))],
  ["an import", Effect.flatMap(Audit, (audit) => audit.import(Stream.empty))],
  ["a rebuild", Effect.flatMap(Maintenance, (care) => care.rebuild())],
  ["a backup", Effect.flatMap(Maintenance, (care) => care.backup(freshPath()))],
  ["a synchronisation", Effect.flatMap(Sync, (sync) => sync.now())],
  ["how it is shared", Effect.flatMap(Sync, (sync) => sync.status)],
]

describe("while it is open", () => {
  it.each(replacements)("%s: every use fails, and says so", async (_, replace) => {
    const { other, path } = await places()
    const story = Effect.gen(function* () {
      yield* add("before")
      yield* Effect.promise(async () => replace(path, other))
      const ends = []
      for (const [name, use] of uses) {
        const error = (yield* Effect.flip(use)) as { readonly reason?: string; readonly message: string }
        ends.push([name, error.reason, /while it was open/.test(error.message)])
      }
      return ends
    })
    expect(await inLog(path, story)).toEqual(uses.map(([name]) => [name, "replaced", true]))
  })

  it("another file was put there in the middle of a transaction: nothing is committed", async () => {
    const { other, path } = await places()
    const story = Effect.flatMap(Database, ({ write }) =>
      Effect.flip(
        write((connection) => {
          connection.prepare("UPDATE sync SET skew = 1").run()
          renameSync(other, path)
        }),
      ),
    )
    expect((await inLog(path, story)).message).toContain("nothing was read or written")
  })

  it("the file that was put there is left as it is, also when the one that was open is closed", async () => {
    const { other, path } = await places()
    const events = eventsOf(other)
    await inLog(
      path,
      Effect.zipRight(
        add("before"),
        Effect.promise(async () => renameSync(other, path)),
      ),
    )
    for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true })
    expect(eventsOf(path)).toEqual(events)
  })

  it("it comes back: the work goes on", async () => {
    const { path } = await places()
    const story = Effect.gen(function* () {
      yield* add("before")
      yield* Effect.sync(() => renameSync(path, `${path}.away`))
      yield* Effect.flip(add("refused"))
      yield* Effect.sync(() => renameSync(`${path}.away`, path))
      yield* add("after")
    })
    await inLog(path, story)
    expect(eventsOf(path)).toHaveLength(2)
  })
})

/** Holds a log for a moment, as a restore does, and puts another in its place, which has been written to by then. */
const holder = `
const [, path, other] = process.argv
const fs = require("node:fs")
const held = new (require("libsql"))(path)
held.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE; COMMIT")
console.log("held")
setTimeout(() => {
  fs.renameSync(other, path)
  fs.copyFileSync(other + "-wal", path + "-wal")
  held.close()
}, 2_000)
`

it("a file that is replaced while another process waits for it is not told as damaged", async () => {
  const [path, other, copy] = [freshPath(), freshPath(), freshPath()]
  const backup = Effect.flatMap(Maintenance, (care) => care.backup(other))
  await inLog(path, Effect.all([add("a"), add("b"), backup]))
  await released(path)
  // As a restore leaves one: its pages are in another order. What is written then is beside it.
  await inLog(
    other,
    Effect.tap(add("c"), () => {
      for (const end of ["", "-wal"]) copyFileSync(other + end, copy + end)
    }),
  )
  const child = spawn(process.execPath, ["-e", holder, path, copy])
  await Promise.race([once(child.stdout, "data"), once(child, "close")])
  const ended = once(child, "close")
  const error = await inLog(path, Effect.void).catch((cause) => String(cause))
  await ended
  expect(error).toContain("another file was put in its place")
})
