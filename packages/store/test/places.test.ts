import { execFileSync } from "node:child_process"
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Audit } from "@context-engine/core/services/Audit"
import { diagnose } from "@context-engine/core/services/Diagnosis"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"
import { database } from "../src/doctor/database.js"
import { keys } from "../src/doctor/keys.js"
import { permissions } from "../src/doctor/permissions.js"
import { restore } from "../src/restore.js"
import { loadSigner } from "../src/Signer.js"
import { ownerOf, readEndpoint, removeEndpoint, saveEndpoint } from "../src/sync/config.js"
import { acquire } from "../src/sync/lock.js"
import { unmount } from "./durability/full.js"
import { freshPath, withSqlite } from "./support/files.js"
import { addServers, inLog, serverNames } from "./support/live.js"

const directory = mkdtempSync(join(tmpdir(), "context-places-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const isRoot = process.getuid?.() === 0
const servers: Array<{ close: () => void }> = []
afterAll(() => {
  for (const server of servers) server.close()
})

/** A database of another program with all of it in the file beside it still: its owner was killed. */
const unfinishedDatabase = (path: string) =>
  execFileSync(process.execPath, [
    "-e",
    `const d = new (require("libsql"))(process.argv[1])
     d.exec("PRAGMA journal_mode = WAL; CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('x')")
     process.kill(process.pid, "SIGKILL")`,
    path,
  ])

const kinds: Readonly<Record<string, (path: string) => unknown>> = {
  directory: (path) => mkdirSync(path, { mode: 0o755 }),
  pipe: (path) => execFileSync("mkfifo", ["-m", "644", path]),
  socket: (path) => new Promise<void>((resolve) => servers.push(createServer().listen(path, resolve))),
  // Like /dev/null, of which nobody may spoil the real one. Without the right to make it, it is that one, out of reach.
  device: (path) =>
    isRoot ? execFileSync("mknod", ["-m", "666", path, "c", "1", "3"]) : symlinkSync("/dev/null", path),
  "a link to a pipe": (path) => {
    execFileSync("mkfifo", ["-m", "644", `${path}.pipe`])
    symlinkSync(`${path}.pipe`, path)
  },
  "a text of another program": (path) => writeFileSync(path, "127.0.0.1 localhost\n".repeat(100), { mode: 0o644 }),
  "an empty file of another program": (path) => writeFileSync(path, "", { mode: 0o644 }),
  "a database of another program": (path) =>
    withSqlite(path, (found) => found.exec("CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('x')")),
  "a database of another program that was killed": (path) => {
    try {
      unfinishedDatabase(path)
    } catch {}
  },
}

/** Every way in which a path is given to us, and what it may be all the same. */
interface Door {
  readonly door: string
  readonly use: (path: string) => Promise<unknown>
  /** A kind that is ours to take here. */
  readonly takes?: string
  /** It says what it found, and does not fail. */
  readonly looksOnly?: true
}

const owner = ownerOf("/log.db", "/log.db")

const doors: ReadonlyArray<Door> = [
  { door: "the log", use: (path) => inLog(path, addServers("alpha")) },
  { door: "what is read", use: (path) => inLog(path, serverNames) },
  {
    door: "what doctor looks at",
    use: (path) => Effect.runPromise(diagnose([database(path), permissions(path)])),
    looksOnly: true,
  },
  { door: "what is restored", use: (path) => Effect.runPromise(restore(path, freshPath())) },
  {
    door: "what is replaced by a restore",
    use: async (path) => {
      const backup = freshPath()
      await inLog(backup, addServers("alpha"))
      await Effect.runPromise(restore(backup, path))
    },
  },
  { door: "the target of a backup", use: (path) => copying(({ maintenance }) => maintenance.backup(path)) },
  { door: "the target of a replay", use: (path) => copying(({ audit }) => audit.replay("1", path)) },
  { door: "the key", use: async (path) => loadSigner(path) },
  {
    door: "the key that doctor looks at",
    use: (path) => Effect.runPromise(diagnose([keys(freshPath(), path)])),
    looksOnly: true,
  },
  {
    door: "the address to keep",
    use: (path) => Effect.runPromise(saveEndpoint(path, owner, { url: "https://x.example.com" })),
  },
  { door: "the address to forget", use: (path) => Effect.runPromise(removeEndpoint(path, owner)) },
  { door: "the address", use: (path) => Effect.runPromise(readEndpoint({}, path, owner)) },
  {
    door: "a lock",
    use: (path) => Effect.runPromise(Effect.scoped(acquire(path.replace(/-watch$/, ""), "watch"))),
    takes: "an empty file of another program",
  },
]

const copying = async (
  copy: (care: { maintenance: Maintenance["Type"]; audit: Audit["Type"] }) => Effect.Effect<unknown, Error>,
) => {
  const log = freshPath()
  await inLog(log, addServers("alpha"))
  await inLog(log, Effect.flatMap(Effect.all({ maintenance: Maintenance, audit: Audit }), copy))
}

const about = (path: string) => {
  const [own, target] = [lstatSync(path), statSync(path)]
  const content = target.isFile() ? readFileSync(path, "latin1") : ""
  return { own: [own.mode, own.rdev, own.ino], target: [target.mode, target.uid, target.rdev, target.ino], content }
}

let places = 0

describe.each(Object.keys(kinds))("%s, where something of ours should be,", (kind) => {
  it.each(doors)("is left as it is as $door", { timeout: 30_000 }, async ({ looksOnly, takes, use }) => {
    places += 1
    const path = join(directory, `place-${places}-watch`)
    await kinds[kind]?.(path)
    const before = about(path)
    const failed = await use(path).then(
      () => undefined,
      (error: Error) => error,
    )
    expect(about(path)).toEqual(before)
    if (looksOnly || takes === kind) return
    expect(failed?.message).toContain(path.replace(/-watch$/, ""))
    expect(failed?.message.length).toBeGreaterThan(path.length + 15)
  })
})

describe("a link to nothing", () => {
  it("is where a log begins, for its owner alone", async () => {
    const path = join(directory, "link.db")
    symlinkSync(join(directory, "target.db"), path)
    await inLog(path, addServers("alpha"))
    expect(statSync(join(directory, "target.db")).mode & 0o777).toBe(0o600)
    expect(lstatSync(path).isSymbolicLink()).toBe(true)
  })
})

describe("a file that is mounted by itself, as into a container", () => {
  const mounts = mkdtempSync(join(tmpdir(), "context mounts-"))
  const mount = (from: string, to: string) => execFileSync("mount", ["--bind", from, to], { stdio: "pipe" })
  const may = (() => {
    try {
      mount(mounts, mounts)
      unmount(mounts)
      return true
    } catch {
      return false
    }
  })()
  afterAll(() => rmSync(mounts, { recursive: true }))

  it.skipIf(!may)("is refused under that name, and none of it is changed", async () => {
    const [path, inside] = [join(mounts, "infra.db"), join(mounts, "inside.db")]
    await inLog(path, addServers("a"))
    writeFileSync(inside, "", { mode: 0o600 })
    mount(path, inside)
    try {
      const link = join(mounts, "link.db")
      symlinkSync(inside, link)
      const whole = readFileSync(path)
      for (const one of [inside, link])
        for (const story of [addServers("b"), serverNames])
          await expect(inLog(one, story as typeof serverNames)).rejects.toThrow(
            /is a mount of its own.*Have its directory/,
          )
      expect(readFileSync(path)).toEqual(whole)
      expect(existsSync(`${inside}-wal`)).toBe(false)
    } finally {
      unmount(inside)
    }
    expect(await inLog(path, serverNames)).toEqual(["a"])
  })
})

it("a log under two names in a directory is refused under both, until one is gone", async () => {
  const path = join(directory, "two-names.db")
  const other = join(directory, "second-name.db")
  await inLog(path, addServers("a"))
  linkSync(path, other)
  for (const one of [path, other])
    await expect(inLog(one, addServers("b"))).rejects.toThrow(/are one file under two names/)
  const link = join(directory, "link-to-two-names.db")
  symlinkSync(path, link)
  await expect(inLog(link, serverNames)).rejects.toThrow(/are one file under two names/)
  rmSync(other)
  // A copy of a whole directory by hard links, as for a snapshot, is another directory's matter; a restore's, its own.
  mkdirSync(join(directory, "snapshot"))
  linkSync(path, join(directory, "snapshot", "twice.db"))
  linkSync(path, `${path}.before-2026-01-01T00-00-00Z`)
  for (const one of [path, link]) expect(await inLog(one, serverNames)).toEqual(["a"])
  linkSync(path, `${other}.before-2026-01-01T00-00-00Z`)
  await expect(inLog(path, serverNames)).rejects.toThrow(/are one file under two names/)
  rmSync(`${other}.before-2026-01-01T00-00-00Z`)
})
