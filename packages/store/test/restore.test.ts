import { spawn } from "node:child_process"
import { once } from "node:events"
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { DeployLogs } from "@context-engine/core/DeployLogs"
import { Audit } from "@context-engine/core/services/Audit"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import { afterEach, describe, expect, it } from "vitest"
import { NativeConnection, storageError } from "../src/connection.js"
import type { EventRow } from "../src/record.js"
import { prepare, restore } from "../src/restore.js"
import { loadSigner, type Signer } from "../src/Signer.js"
import { staging, stagingOf } from "../src/staging.js"
import { ownerOf, saveEndpoint } from "../src/sync/config.js"
import { acquire } from "../src/sync/lock.js"
import { released } from "./durability/verify.js"
import { damaged } from "./support/audited.js"
import { establish } from "./support/enrolment.js"
import { freshPath, withSqlite } from "./support/files.js"
import { draft, signed, slipIn, stranger, unsigned } from "./support/forger.js"
import { addServers, backupOf, inLog, serverNames, verify } from "./support/live.js"

/** What lies at the path while a process works on it: the log, of which all is in the file beside it. */
const copyOfLive = async (...names: ReadonlyArray<string>): Promise<string> => {
  const [path, copy] = [freshPath(), freshPath()]
  const story = Effect.tap(addServers(...names), () => {
    cpSync(path, copy)
    cpSync(`${path}-wal`, `${copy}-wal`)
  })
  await inLog(path, story)
  expect(statSync(`${copy}-wal`).size).toBeGreaterThan(10_000)
  return copy
}

const begun = async (...names: ReadonlyArray<string>): Promise<string> => {
  const path = freshPath()
  await inLog(path, addServers(...names))
  await released(path)
  return path
}

const restoring = (backup: string, path: string) => Effect.runPromise(restore(backup, path))

describe("restore", () => {
  it("takes what is in the file beside the backup, and changes nothing of either", async () => {
    const [copy, path] = [await copyOfLive("alpha", "beta"), await begun("old")]
    const before = [readFileSync(copy), readFileSync(`${copy}-wal`)]
    const aside = (await restoring(copy, path)) as string
    expect(await inLog(path, serverNames)).toEqual(["alpha", "beta"])
    expect(await inLog(aside, serverNames)).toEqual(["old"])
    expect([readFileSync(copy), readFileSync(`${copy}-wal`)]).toEqual(before)
    expect(readdirSync(dirname(copy)).sort()).toEqual([basename(copy), `${basename(copy)}-wal`])
    expect(withSqlite(path, (found) => found.prepare("PRAGMA journal_mode").get())).toMatchObject({
      journal_mode: "wal",
    })
  })

  it("is put where a link leads, though nothing is there yet, and nowhere where that cannot be", async () => {
    const [directory, backup] = [dirname(freshPath()), await backupOf(await begun("new"))]
    mkdirSync(join(directory, "disk"))
    const [link, target] = [join(directory, "link.db"), join(directory, "disk", "infra.db")]
    symlinkSync(join("disk", "infra.db"), link)
    await restoring(backup, link)
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
    expect(await inLog(target, serverNames)).toEqual(["new"])
    const unmounted = join(directory, "unmounted.db")
    symlinkSync(join(directory, "nowhere", "infra.db"), unmounted)
    await expect(restoring(backup, unmounted)).rejects.toThrow(/unmounted.db: .*ENOENT/)
    expect(lstatSync(unmounted).isSymbolicLink()).toBe(true)
  })

  it("has what deployments printed where the log is looked for, though that is a link, and keeps what came later aside", async () => {
    const [directory, backup] = [dirname(freshPath()), freshPath()]
    const [link, target] = [join(directory, "link.db"), join(directory, "target.db")]
    writeFileSync(target, "", { mode: 0o600 })
    symlinkSync(target, link)
    const print = (id: string) =>
      Effect.scoped(Effect.flatMap(DeployLogs, ({ write }) => Effect.flatMap(write(id), (say) => say(`${id} ran`))))
    const copy = Effect.flatMap(Maintenance, (care) => care.backup(backup))
    await inLog(link, Effect.all([addServers("alpha"), print("one"), copy, print("two")]))
    await released(link)
    const printed = (path: string) =>
      inLog(
        path,
        Effect.flatMap(DeployLogs, ({ read }) => Effect.all([read("one"), read("two")])),
      )
    const aside = (await restoring(backup, link)) as string
    expect(await printed(link)).toEqual(["one ran", undefined])
    expect(await printed(aside)).toEqual(["one ran", "two ran"])
  })

  it.each([0, 1, 20, 99])(
    "takes the place of a log that was cut off at %i bytes, or says what to do with it",
    async (length) => {
      const [path, backup] = [damaged(await begun("old")), await backupOf(await begun("new"))]
      // As commands leave it that have ended.
      for (const end of ["-wal", "-shm"]) writeFileSync(path + end, "", { mode: 0o600 })
      truncateSync(path, length)
      // Of one byte SQLite makes nothing.
      if (length > 1) {
        await expect(restoring(backup, path)).rejects.toThrow("if it was a log, move it away and restore a backup")
        renameSync(path, `${path}.cut`)
      }
      await restoring(backup, path)
      expect(await inLog(path, serverNames)).toEqual(["new"])
    },
  )

  it("takes the place of one that was set aside before and is gone back to by a link", async () => {
    const [path, backup] = [await begun("old"), await backupOf(await begun("new"))]
    const aside = (await restoring(backup, path)) as string
    for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true })
    symlinkSync(basename(aside), path)
    expect(await inLog(path, serverNames)).toEqual(["old"])
    await released(path)
    await restoring(backup, path)
    expect(await inLog(path, serverNames)).toEqual(["new"])
  })

  it("leaves what deployments printed where no log was there to be set aside with it", async () => {
    const [path, backup] = [await begun("old"), freshPath()]
    const print = Effect.scoped(
      Effect.flatMap(DeployLogs, ({ write }) => Effect.flatMap(write("late"), (say) => say("late ran"))),
    )
    await inLog(
      path,
      Effect.zipRight(
        Effect.flatMap(Maintenance, (care) => care.backup(backup)),
        print,
      ),
    )
    await released(path)
    for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true })
    expect(await restoring(backup, path)).toBeNull()
    const read = Effect.flatMap(DeployLogs, (logs) => logs.read("late"))
    expect(await inLog(path, read)).toBe("late ran")
  })

  it("keeps what the old log had beside it", async () => {
    const [path, backup] = [await copyOfLive("alpha", "beta"), await backupOf(await begun("new"))]
    const aside = (await restoring(backup, path)) as string
    expect(await inLog(path, serverNames)).toEqual(["new"])
    expect(await inLog(aside, serverNames)).toEqual(["alpha", "beta"])
  })

  it("does not take what lies beside a log that is gone for the new one's", async () => {
    const [old, backup] = [await copyOfLive("alpha", "beta"), await backupOf(await begun("new"))]
    const path = freshPath()
    cpSync(`${old}-wal`, `${path}-wal`)
    expect(await restoring(backup, path)).toBeNull()
    expect(await inLog(path, serverNames)).toEqual(["new"])
  })

  it.each([8, 4_096, 20_000])("names what lies beside a backup and is not of it: %i bytes", async (length) => {
    const [path, backup] = [await begun("old"), await backupOf(await begun("new"))]
    writeFileSync(`${backup}-wal`, Buffer.alloc(length, length === 4_096 ? 0 : "x"))
    await expect(restoring(backup, path)).rejects.toThrow(`cannot be read together with ${backup}-wal`)
    expect(await inLog(path, serverNames)).toEqual(["old"])
  })

  it("builds rows anew where the events hold, and says so", async () => {
    const backup = damaged(await backupOf(await begun("alpha", "beta")))
    withSqlite(backup, (found) => found.exec("UPDATE servers SET notes = 'x'; UPDATE checkpoint SET position = 1")) // biome-ignore format: one line
    const path = freshPath()
    const found = await Effect.runPromise(
      Effect.scoped(Effect.flatMap(prepare(backup, path), (prepared) => Effect.as(prepared.place, prepared))),
    )
    expect(found).toMatchObject({ events: 2, problems: [], differing: 2 })
    expect(await inLog(path, verify)).toMatchObject({ ok: true, events: 2 })
  })

  it("refuses a backup whose end is cut off", async () => {
    const backup = damaged(await backupOf(await begun("alpha", "beta")))
    withSqlite(backup, (found) => {
      const { sql } = found.prepare("SELECT sql FROM sqlite_schema WHERE name = 'events_no_delete'").get()
      found.exec(`DROP TRIGGER events_no_delete; DELETE FROM events WHERE position = 2; ${sql}`)
    })
    const path = await begun("old")
    await expect(restoring(backup, path)).rejects.toThrow("does not hold")
    expect(await inLog(path, serverNames)).toEqual(["old"])
  })

  it("is refused while a program has the log open, and leaves all as it is", async () => {
    const [path, backup] = [await begun("old"), await backupOf(await begun("new"))]
    const other = spawn(process.execPath, [
      "-e",
      `const d = new (require("libsql"))(process.argv[1]); d.prepare("SELECT count(*) FROM events").get(); console.log("open"); process.stdin.resume()`,
      path,
    ])
    await once(other.stdout, "data")
    await expect(restoring(backup, path)).rejects.toThrow(/is in use. .*end what else has it open/)
    expect(readdirSync(dirname(path)).filter((name) => !/-(wal|shm)$/.test(name))).toEqual(["infra.db"])
    other.stdin.end()
    await once(other, "close")
    expect(await inLog(path, serverNames)).toEqual(["old"])
  })
})

describe("a log that is written to while a person is asked", () => {
  it("is not thrown away unseen: nothing is put in its place, and the next restore tells of it", async () => {
    const [path, backup] = [await begun("old"), await backupOf(await begun("new"))]
    const names = () => readdirSync(dirname(path)).filter((name) => !/-(wal|shm)$/.test(name))
    const asked = Effect.flatMap(prepare(backup, path), ({ place }) =>
      Effect.zipRight(
        Effect.promise(() => inLog(path, addServers("meanwhile")).then(() => released(path))),
        Effect.either(place),
      ),
    )
    const placed = await Effect.runPromise(Effect.scoped(asked))
    expect(placed).toMatchObject({
      left: { reason: "replaced", message: expect.stringContaining("was written to since") },
    })
    expect(names()).toEqual(["infra.db"])
    expect(await inLog(path, serverNames)).toEqual(["meanwhile", "old"])
    await released(path)
    const aside = (await restoring(backup, path)) as string
    expect(await inLog(path, serverNames)).toEqual(["new"])
    expect(await inLog(aside, serverNames)).toEqual(["meanwhile", "old"])
  })

  const nothing = async () => freshPath()
  const withoutEvents = async () => {
    const path = freshPath()
    await inLog(path, serverNames)
    await released(path)
    return path
  }
  const unfinished = async () => {
    const path = freshPath()
    writeFileSync(path, "", { mode: 0o600 })
    return path
  }

  const empty = [
    ["nothing was there", nothing],
    ["there was a log without an event", withoutEvents],
    ["a killed process had left an empty file", unfinished],
  ] as const

  it.each(empty)("nor where %s", async (_, before) => {
    const [path, backup] = [await before(), await backupOf(await begun("new"))]
    const write = Effect.promise(() => inLog(path, addServers("meanwhile")).then(() => released(path)))
    const placing = Effect.flatMap(prepare(backup, path), ({ place }) => Effect.zipRight(write, Effect.either(place)))
    expect(await Effect.runPromise(Effect.scoped(placing))).toMatchObject({ left: { reason: "replaced" } })
    expect(await inLog(path, serverNames)).toEqual(["meanwhile"])
  })

  it.each(empty)("who only looks where %s keeps nothing from being restored", async (_, before) => {
    const [path, backup] = [await before(), await backupOf(await begun("new"))]
    const look = Effect.promise(() => inLog(path, serverNames).then(() => released(path)))
    const placing = Effect.flatMap(prepare(backup, path), ({ place }) => Effect.zipRight(look, place))
    await Effect.runPromise(Effect.scoped(placing))
    expect(await inLog(path, serverNames)).toEqual(["new"])
  })
})

it.each(["ENOSPC", "EDQUOT", "EFBIG", "SQLITE_FULL"])(
  "a disk that is full is told as that, whoever says it: %s",
  (code) => {
    expect(storageError("infra.db", Object.assign(new Error("no room"), { code }))).toMatchObject({ reason: "full" })
  },
)

describe("an unfinished file", () => {
  it("of a process that is gone is removed by the next that makes a file there; that of one at work is not", async () => {
    const [path, backup] = [await begun("a"), freshPath()]
    mkdirSync(join(stagingOf(backup), "files"), { recursive: true })
    const copy = Effect.flatMap(Maintenance, (care) => care.backup(backup))
    const error = await inLog(path, Effect.scoped(Effect.zipRight(staging(backup), Effect.flip(copy))))
    expect(error.message).toContain("another process is making this file")
    // So is that of another name in the same directory, once it is no longer young.
    const forgotten = stagingOf(join(dirname(backup), "of-yesterday.db"))
    mkdirSync(join(forgotten, "files"), { recursive: true })
    utimesSync(forgotten, 0, 0)
    await inLog(path, copy)
    expect(readdirSync(dirname(backup))).toEqual([basename(backup)])
  })
})

describe("what holds the log, what deployments printed, or a key", () => {
  const umask = process.umask()
  afterEach(() => void process.umask(umask))

  it.each([0o000, 0o022, 0o077])("is for its owner alone, with umask %i", async (mask) => {
    const base = dirname(freshPath())
    chmodSync(base, 0o755)
    process.umask(mask)
    const home = join(base, "home")
    const path = join(home, "log", "infra.db")
    const at = (name: string) => join(home, name)
    const seen = new Set<string>()
    const look = Effect.sync(() => {
      for (const name of readdirSync(base, { recursive: true, encoding: "utf8" })) {
        const found = lstatSync(join(base, name), { throwIfNoEntry: false })
        if (found === undefined) continue
        seen.add(basename(name))
        const mode = `${name} ${(found.mode & 0o777).toString(8)}`
        expect(mode).toBe(`${name} ${found.isDirectory() ? "700" : "600"}`)
      }
    })
    const print = Effect.scoped(
      Effect.flatMap(DeployLogs, ({ write }) => Effect.flatMap(write("one"), (say) => Effect.zipRight(say("x"), look))),
    )
    const story = Effect.gen(function* () {
      yield* addServers("alpha")
      yield* print
      yield* (yield* Maintenance).backup(at("backup.db"))
      yield* (yield* Audit).replay("1", at("replay.db"))
      yield* Effect.scoped(Effect.zipRight(acquire(path, "sync"), look))
      yield* saveEndpoint(at("config/sync.json"), ownerOf("/log.db", "/log.db"), { url: "https://x.example.com" })
      loadSigner(at("keys/machine.key"))
      yield* Effect.scoped(Effect.zipRight(prepare(at("backup.db"), at("restored.db")), look))
      yield* look
    })
    await inLog(path, story)
    await released(path)
    const aside = await restoring(at("backup.db"), path)
    await Effect.runPromise(look)
    expect(existsSync(aside as string)).toBe(true)
    for (const name of ["infra.db", "infra.db-wal", "infra.db-shm", "infra.db-logs", "infra.db-sync", "backup.db"])
      expect(seen).toContain(name)
  })
})

describe("what waits in a backup to be shared", () => {
  /** A backup of a log that is shared up to its head, and what somebody then put at its end. */
  const withTail = async (rows: (root: string, own: Signer) => ReadonlyArray<EventRow>) => {
    const backup = damaged(freshPath())
    await inLog(backup, addServers())
    const own = loadSigner(`${backup}.key`)
    const connection = new NativeConnection(backup, 5_000)
    const root = establish(connection, own)
    const [hash, position] = connection
      .prepare("SELECT hash, position FROM events ORDER BY position DESC LIMIT 1")
      .get()
    connection.prepare("UPDATE sync SET log_id = 'log', position = ?, hash = ?").run(position, hash)
    slipIn(connection, rows(root, own))
    connection.close()
    return { backup, keyPath: `${backup}.key` }
  }
  const prepared = ({ backup, keyPath }: { readonly backup: string; readonly keyPath: string }) =>
    Effect.runPromise(Effect.scoped(Effect.map(prepare(backup, freshPath(), { keyPath }), ({ problems }) => problems)))

  it("does not hold where it is not signed, and the log is", async () => {
    const words = "what stands at position 2 is not signed, and this log is"
    expect(await prepared(await withTail(() => unsigned([draft()])))).toEqual([expect.stringContaining(words)])
  })

  it("is refused where it is signed by a key that nobody knows, though it holds: this machine would pass it on as its own", async () => {
    const at = await withTail((root) => signed([draft()], stranger(), root))
    await expect(prepared(at)).rejects.toThrow(
      /1 event, from position 2 on, under no key that its log knows.*restore it on the machine that wrote it/,
    )
  })

  it("is taken where this machine's key signed it", async () => {
    const at = await withTail((root, own) => signed([draft()], own, root))
    expect(await prepared(at)).toEqual([])
  })
})
