/** What lies beside a log (`-wal`) belongs to one file: what becomes of it where a person takes one of the two away, or puts an older one there. */
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs" // biome-ignore format: one line
import { dirname, join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { describe, expect, it, vi } from "vitest"
import { aloneIn, isOthers } from "../src/beside.js"
import { NativeConnection } from "../src/connection.js"
import { Database, layer } from "../src/Database.js"
import { database } from "../src/doctor/database.js"
import { readWritten, writtenQuery } from "../src/thisFile.js"
import { damaged } from "./support/audited.js"
import { freshPath, withSqlite } from "./support/files.js"
import { addServers, backupOf, inLog, restoreBy, serverNames, verify } from "./support/live.js"

/** A log that is worked on, with something beside it; then what a person does to it, and what comes of that. */
const working = <A>(path: string, then: () => Effect.Effect<A, unknown, any>, memory?: string): Promise<A> =>
  inLog(path, Effect.zipRight(addServers("beside"), Effect.suspend(then)) as Effect.Effect<A, unknown, never>, memory)

const begun = async (memory?: string) => {
  const path = freshPath()
  await inLog(path, addServers("before"), memory)
  return path
}

const memoryBeside = (path: string) => mkdtempSync(join(dirname(path), "logs-"))

describe("while a program has the log open", () => {
  const ways: ReadonlyArray<readonly [string, (path: string) => void, RegExp]> = [
    ["is removed", (path) => rmSync(`${path}-wal`), /what was written to it last .* was removed or replaced/],
    [
      "is replaced",
      (path) => {
        // A look at it holds for an instant.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 120)
        copyFileSync(`${path}-wal`, `${path}-other`)
        renameSync(`${path}-other`, `${path}-wal`)
      },
      /what was written to it last .* was removed or replaced/,
    ],
  ]
  it.each(ways)("what lies beside it %s: nothing more is acknowledged", async (_, put, said) => {
    const path = await begun()
    const refused = await working(path, () => {
      put(path)
      damaged(path)
      return Effect.all([Effect.flip(addServers("refused")), Effect.flip(serverNames), Effect.flip(well)])
    })
    for (const error of refused)
      expect(error).toMatchObject({ reason: "replaced", message: expect.stringMatching(said) })
  })

  it("what lies beside it is emptied: the end of the program leaves the file as it is", async () => {
    const path = await begun()
    const before = await working(path, () =>
      Effect.sync(() => {
        truncateSync(`${path}-wal`)
        damaged(path)
        return readFileSync(path)
      }),
    )
    expect(readFileSync(path)).toEqual(before)
  })

  it("all of it is set back by a copy of the directory: nothing more is acknowledged", async () => {
    const path = await begun()
    const copy = mkdtempSync(join(dirname(path), "copy-"))
    const ends = ["", "-wal", "-shm"]
    const refused = await working(path, () =>
      Effect.gen(function* () {
        for (const end of ends) cpSync(path + end, join(copy, `db${end}`))
        yield* addServers("acknowledged")
        for (const end of ends) copyFileSync(join(copy, `db${end}`), path + end)
        return [yield* Effect.flip(addServers("refused")), yield* Effect.flip(well)]
      }),
    )
    for (const error of refused) expect(error).toMatchObject({ reason: "replaced" })
  })

  it("a copy is worked on in its place until it is back: it goes on", async () => {
    const path = freshPath()
    const memory = memoryBeside(path)
    await inLog(path, addServers("before"), memory)
    const [aside, ends] = [`${path}-aside`, ["", "-wal", "-shm"]]
    const names = await working(
      path,
      () =>
        Effect.gen(function* () {
          vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2_000 })
          copyFileSync(path, `${path}-copy`)
          for (const end of ends) renameSync(path + end, aside + end)
          renameSync(`${path}-copy`, path)
          yield* Effect.promise(() => inLog(path, addServers("one", "two", "three"), memory))
          for (const end of ends) rmSync(path + end, { force: true })
          for (const end of ends) renameSync(aside + end, path + end)
          yield* addServers("after")
          return yield* serverNames
        }).pipe(Effect.ensuring(Effect.sync(() => vi.useRealTimers()))),
      memory,
    )
    expect(names).toEqual(["after", "before", "beside"])
  })
})

const well = Effect.flatMap(Database, ({ obstacle }) => obstacle)

describe("a log whose file is emptied or gone, with something beside it", () => {
  it.each([
    ["emptied", (path: string) => truncateSync(path)],
    ["gone", (path: string) => rmSync(path)],
  ])("%s: nobody takes that away, and with the file back all of it is there", async (_, take) => {
    const path = await begun()
    await working(path, () =>
      Effect.promise(async () => {
        const aside = freshPath()
        for (const end of ["", "-wal"]) copyFileSync(path + end, aside + end)
        const [file, wal] = [readFileSync(path), readFileSync(`${path}-wal`)]
        take(aside)
        const opened = Effect.scoped(Effect.provide(Effect.void, layer(aside)))
        for (const open of [opened, opened])
          await expect(Effect.runPromise(open)).rejects.toThrow(/lies beside it still/)
        await Effect.runPromise(database(aside).look)
        expect(readFileSync(`${aside}-wal`)).toEqual(wal)
        writeFileSync(aside, file, { mode: 0o600 })
        expect(await inLog(aside, serverNames)).toEqual(["before", "beside"])
      }),
    )
  })
})

/** As a program left a log that was killed while it worked on it: the file, what lies beside it, and what this machine remembers. */
const killed = async (
  path: string,
  memory: string,
  work: Effect.Effect<unknown, unknown, any> = addServers("beside"),
): Promise<readonly [string, string]> => {
  const at = freshPath()
  const remembered = `${at}-logs`
  const keep = Effect.sync(() => {
    for (const end of ["", "-wal"]) copyFileSync(path + end, at + end)
    cpSync(memory, remembered, { recursive: true })
  })
  await inLog(path, Effect.zipRight(work as typeof serverNames, keep), memory)
  rmSync(memory, { recursive: true })
  cpSync(remembered, memory, { recursive: true })
  return [at, `${at}-wal`]
}

/** What stood there is gone, and these are there now. */
const putThere = (path: string, file: string, wal?: string) => {
  for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true })
  copyFileSync(file, path)
  if (wal !== undefined) copyFileSync(wal, `${path}-wal`)
}

describe("an older copy with what was written later beside it", () => {
  /** As it lies there after a program was killed, with an older copy in the place of the file. */
  const mixed = async (work?: Effect.Effect<unknown, unknown, any>) => {
    const path = freshPath()
    const memory = memoryBeside(path)
    await inLog(path, addServers("one"), memory)
    const older = freshPath()
    copyFileSync(path, older)
    await inLog(path, addServers("two", "three"), memory)
    const [, wal] = await killed(path, memory, work)
    putThere(path, older, wal)
    return { path, older, memory }
  }
  /** What is kept of a synchronisation, and is no event. */
  const noted = Effect.flatMap(Database, ({ write }) =>
    write((connection) => connection.exec("UPDATE sync SET remote_head = remote_head")),
  )
  const said = /was put in the place of another file, whose last writes lie beside it still/

  it("is not read together with it, whatever is asked, and nothing of either is changed", async () => {
    const { memory, path } = await mixed()
    const lie = ["", "-wal"].map((end) => readFileSync(path + end))
    for (const story of [serverNames, addServers("four"), verify])
      await expect(inLog(path, story as typeof serverNames, memory)).rejects.toThrow(said)
    expect(["", "-wal"].map((end) => readFileSync(path + end))).toEqual(lie)
  })

  it.each([
    ["were notes of a synchronisation alone", noted, true],
    ["was told to nobody: the memory was set back with the copy", undefined, false],
  ] as const)("is not read together with it where that %s", async (_, work, isRemembered) => {
    const { memory, path } = await mixed(work)
    await expect(inLog(path, serverNames, isRemembered ? memory : undefined)).rejects.toThrow(said)
    expect(await database(path).look.pipe(Effect.runPromise)).toMatchObject([{ level: "trouble" }, {}])
    damaged(path)
  })

  it("is kept with it by a restore", async () => {
    const { memory, older, path } = await mixed()
    const wal = readFileSync(`${path}-wal`)
    const aside = await restoreBy(older, path, memory)
    expect(readFileSync(`${aside}-wal`)).toEqual(wal)
    rmSync(`${aside}-wal`)
    expect(await inLog(aside, serverNames)).toEqual(["one"])
    expect(await inLog(path, serverNames, memory)).toEqual(["one"])
    // Where it is worked on, and killed, it is not taken for the older copy that it once was.
    const besideAgain = await working(path, () => Effect.promise(() => inLog(path, serverNames, memory)), memory)
    expect(besideAgain).toEqual(["beside", "one"])
  })
})

describe("a file that was set back by a person", () => {
  const grown = async () => {
    const path = freshPath()
    const memory = memoryBeside(path)
    await inLog(path, addServers("one"), memory)
    const older = freshPath()
    copyFileSync(path, older)
    await inLog(path, addServers("two"), memory)
    return { path, memory, older }
  }

  it("is a log that goes on, also when what went on in it was killed", async () => {
    const { memory, older, path } = await grown()
    putThere(path, older)
    const [file, wal] = await killed(path, memory)
    putThere(path, file, wal)
    expect(await inLog(path, serverNames, memory)).toEqual(["beside", "one"])
  })

  it("is a log that goes on with what lay beside it when nothing was in the file itself yet", async () => {
    const path = freshPath()
    const memory = memoryBeside(path)
    const [file, wal] = await killed(path, memory)
    await inLog(path, addServers("later"), memory)
    putThere(path, file, wal)
    expect(await inLog(path, serverNames, memory)).toEqual(["beside"])
  })

  it("is a log that goes on with what lay beside it, whatever went on in an older copy meanwhile", async () => {
    const { memory, older, path } = await grown()
    const [file, wal] = await killed(path, memory)
    putThere(path, older)
    await inLog(path, addServers("elsewhere", "there", "too"), memory)
    putThere(path, file, wal)
    expect(await inLog(path, serverNames, memory)).toEqual(["beside", "one", "two"])
  })

  it("is a log that goes on with what lay beside it then", async () => {
    const { memory, path } = await grown()
    const [file, wal] = await killed(path, memory)
    await inLog(path, addServers("three", "four"), memory)
    putThere(path, file, wal)
    expect(await inLog(path, serverNames, memory)).toEqual(["beside", "one", "two"])
  })
})

const others: ReadonlyArray<readonly [string, (path: string) => Promise<unknown> | unknown]> = [
  ["was worked on elsewhere, and came further", (copy) => inLog(copy, addServers("a", "b", "c", "d", "e", "f"))],
  [
    "is from before files said which they are",
    (copy) =>
      withSqlite(copy, (found) =>
        found.exec(
          `${["file", "written", "taken"].map((column) => `ALTER TABLE checkpoint DROP COLUMN ${column};`).join("")} PRAGMA user_version = 6`,
        ),
      ),
  ],
]

it.each(others)("a copy that %s is not read with what lies beside the log", async (_, change) => {
  const path = freshPath()
  const memory = memoryBeside(path)
  await inLog(path, addServers("one"), memory)
  const copy = freshPath()
  copyFileSync(path, copy)
  await change(copy)
  damaged(copy)
  const [, wal] = await killed(path, memory)
  putThere(path, copy, wal)
  await expect(inLog(path, serverNames, memory)).rejects.toThrow(/was put in the place of another file/)
  expect([readFileSync(path), readFileSync(`${path}-wal`)]).toEqual([readFileSync(copy), readFileSync(wal)])
  damaged(path)
})

it("what was taken over may be gone after a power cut: what lies beside the file stands", async () => {
  const path = await begun()
  const kept = freshPath()
  await working(path, () =>
    Effect.promise(async () => {
      const reader = new NativeConnection(path, 0, "")
      reader.exec("BEGIN")
      reader.prepare("SELECT count(*) FROM events").all()
      copyFileSync(path, kept)
      withSqlite(path, (found) => found.exec("PRAGMA wal_checkpoint(PASSIVE)"))
      expect(readFileSync(path)).not.toEqual(readFileSync(kept))
      await inLog(path, addServers("later"))
      copyFileSync(`${path}-wal`, `${kept}-wal`)
      reader.close()
    }),
  )
  putThere(path, kept, `${kept}-wal`)
  expect(await inLog(path, serverNames)).toEqual(["before", "beside", "later"])
})

it("what others take over while it is looked at is not told as a copy", async () => {
  const path = await begun()
  const open = () =>
    Effect.runPromise(Scope.make()).then(async (scope) => {
      const context = await Effect.runPromise(Scope.extend(Layer.build(layer(path)), scope))
      const write = (sql: string) => Effect.runPromise(Context.get(context, Database).write((c) => c.exec(sql)))
      return { write, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
    })
  const note = "UPDATE sync SET remote_head = remote_head"
  const first = await open()
  await first.write(note)
  const alone = aloneIn(path)
  await first.close()
  const second = await open()
  await second.write(note)
  const together = withSqlite(path, (found) => found.prepare(writtenQuery).get())
  expect(alone?.come?.written).toBeLessThan(together.taken)
  expect(isOthers(path, alone, together)).toBe(false)
  await second.close()
})

it("what lies beside a file and is of another log is not read together with it", async () => {
  const [whole, other, path] = [await begun(), await begun(), freshPath()]
  await working(other, () => Effect.sync(() => copyFileSync(`${other}-wal`, `${path}-wal`)))
  copyFileSync(whole, path)
  await expect(inLog(path, serverNames)).rejects.toThrow(/was put in the place of another file|damaged/)
  expect(readFileSync(path)).toEqual(readFileSync(whole))
  damaged(path)
})

it("a copy that is worked on is a file of its own, and a raw one is not", async () => {
  const path = await begun()
  const [backup, raw] = [await backupOf(path), freshPath()]
  copyFileSync(path, raw)
  await inLog(backup, serverNames)
  const [own, copied, same] = [path, backup, raw].map((file) => withSqlite(file, (found) => ({ ...found.prepare("SELECT file FROM checkpoint").get() }).file)) // biome-ignore format: one line
  expect(own).toMatch(/^[0-9a-f]{16}$/)
  expect(copied).not.toBe(own)
  expect(same).toBe(own)
  expect(
    await inLog(
      path,
      Effect.flatMap(Database, ({ read }) => read(readWritten)),
    ),
  ).toMatchObject({ file: own })
})

it("a backup of a version that said less of its file is worked on, read and restored", async () => {
  const path = freshPath()
  const memory = memoryBeside(path)
  await inLog(path, addServers("before"), memory)
  const older = async () => {
    const backup = await backupOf(path)
    withSqlite(backup, (found) => found.exec("ALTER TABLE checkpoint DROP COLUMN taken; PRAGMA user_version = 7"))
    return backup
  }
  expect(await inLog(await older(), addServers("more"))).toHaveLength(1)
  expect((await inLog(await older(), verify)).findings).toEqual([])
  await restoreBy(await older(), path, memory)
  expect(await inLog(path, serverNames, memory)).toEqual(["before"])
})

it("a log that is put where one was just begun in vain stays there", async () => {
  const [path, whole] = [freshPath(), await begun()]
  const failing = Effect.scoped(
    Effect.provide(
      Effect.suspend(() => {
        expect(existsSync(path)).toBe(true)
        renameSync(whole, path)
        return Effect.fail("in vain")
      }),
      layer(path),
    ),
  )
  await expect(Effect.runPromise(failing)).rejects.toThrow(/in vain/)
  expect(statSync(path).size).toBeGreaterThan(0)
  expect(await inLog(path, serverNames)).toEqual(["before"])
})
