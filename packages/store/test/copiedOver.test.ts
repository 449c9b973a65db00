/** A copy that is put over the file of a log while a program works on it, as `cp` does: its inode stays, and so does what SQLite has open. */
import { spawnSync } from "node:child_process"
import { copyFileSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs"
import * as Effect from "effect/Effect"
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest"
import { Database } from "../src/Database.js"
import { restore } from "../src/restore.js"
import { bundleWorker } from "./durability/processes.js"
import { released } from "./durability/verify.js"
import { damaged } from "./support/audited.js"
import { freshPath } from "./support/files.js"
import { addServers, backupOf, inLog, serverNames, verify } from "./support/live.js"

afterEach(() => void vi.useRealTimers())

/** A log that has grown since a copy of it was made, by `backup` and by `cp`. */
const grown = async () => {
  const [path, older] = [freshPath(), freshPath()]
  await inLog(path, addServers("before"))
  await released(path)
  copyFileSync(path, older)
  const backup = await backupOf(path)
  await inLog(path, addServers(...Array.from({ length: 40 }, (_, n) => `s${n}`)))
  await released(path)
  return { path, older, backup }
}

type Grown = Awaited<ReturnType<typeof grown>>

const ways: ReadonlyArray<readonly [string, (log: Grown) => void]> = [
  ["a backup", ({ backup, path }) => copyFileSync(backup, path)],
  ["an older copy", ({ older, path }) => copyFileSync(older, path)],
  ["nothing", ({ path }) => truncateSync(path)],
]

it.each(ways)("%s is put over it: nothing is read from it and nothing is committed", async (_, put) => {
  const log = await grown()
  const story = Effect.gen(function* () {
    const { check } = yield* Database
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2_000 })
    yield* check
    yield* addServers("acknowledged")
    put(log)
    damaged(log.path)
    return [yield* Effect.flip(addServers("refused")), yield* Effect.flip(serverNames), yield* Effect.flip(check)]
  })
  for (const error of await inLog(log.path, story))
    expect(error).toMatchObject({
      reason: "replaced",
      message: expect.stringMatching(/another file was copied over it while it was open; .*context infra restore/),
    })
})

it("a copy that is older by what this very connection took over is put over it: its count of changes is the same", async () => {
  const [path, older] = [freshPath(), freshPath()]
  const takenOver = Effect.flatMap(Database, ({ read }) =>
    read((connection) => connection.prepare("PRAGMA wal_checkpoint(PASSIVE)").all()),
  )
  const story = Effect.gen(function* () {
    const { check } = yield* Database
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2_000 })
    yield* addServers("before")
    yield* takenOver
    yield* check
    copyFileSync(path, older)
    yield* addServers(...Array.from({ length: 40 }, (_, n) => `s${n}`))
    yield* takenOver
    yield* check
    copyFileSync(older, path)
    damaged(path)
    return yield* Effect.flip(addServers("refused"))
  })
  expect(await inLog(path, story)).toMatchObject({ reason: "replaced" })
})

it("what others take over into the file is not told as that", async () => {
  const { path } = await grown()
  const story = Effect.gen(function* () {
    const { check } = yield* Database
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2_000 })
    for (let n = 0; n < 5; n++) {
      yield* check
      yield* addServers(`own-${n}`)
      // Another connection of its own, which takes over what there is when it is done.
      yield* Effect.promise(() => inLog(path, addServers(`other-${n}`)))
    }
    yield* check
    yield* serverNames
  })
  await inLog(path, story)
  expect((await inLog(path, verify)).ok).toBe(true)
})

let program: string
beforeAll(async () => {
  program = await bundleWorker("copyWorker.ts")
})
afterAll(() => rmSync(program))

it("a program that ends writes nothing of its log into the copy, and restore puts that in its place", async () => {
  const { backup, path } = await grown()
  const ended = spawnSync(process.execPath, [program, "copiedOver", path, backup], { encoding: "utf8" })
  expect(ended, ended.stderr).toMatchObject({ status: 0 })
  expect(readFileSync(path)).toEqual(readFileSync(backup))
  // What it committed is beside it still.
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0)
  await expect(inLog(path, serverNames)).rejects.toThrow(/was put in the place of another file/)
  await Effect.runPromise(restore(backup, path))
  expect(await inLog(path, serverNames)).toEqual(["before"])
  expect((await inLog(path, verify)).ok).toBe(true)
})
