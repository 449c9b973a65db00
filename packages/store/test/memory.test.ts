/** What this machine remembers of its log outside the file, through all that can become of a log. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs" // biome-ignore format: one line
import { dirname, join } from "node:path"
import { Audit } from "@context-engine/core/services/Audit"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { type Remembered, recallLog, writeRemembered } from "../src/memory/file.js"
import { make } from "../src/sync/RemoteLog.js"
import { damaged, withNoise } from "./support/audited.js"
import { freshPath, withSqlite } from "./support/files.js"
import { draft, slipIn, unsigned } from "./support/forger.js"
import { give, type Machine, machine, sync } from "./support/machines.js"
import { makeSequencer, type Sequencer } from "./support/sequencer.js"

/** A machine that remembers, and what it was told. Each use of it opens the log anew, as a command does. */
const remembering = (name: string, path = freshPath(), sequencer?: Sequencer) => {
  const directory = mkdtempSync(join(dirname(path), "logs-"))
  const remote = sequencer && make("memory", sequencer.batch)
  const told: Array<string> = []
  const memory = { directory, tell: (message: string) => void told.push(message) }
  const once = async <A>(use: (of: Machine) => Promise<A>, at = path): Promise<A> => {
    const one = machine(name, remote, { path: at, signed: false, memory })
    try {
      return await use(one)
    } finally {
      await one.close()
    }
  }
  const loss = (at?: string) => once((of) => of.run(Effect.flatMap(Audit, (audit) => audit.loss)), at)
  return {
    path,
    directory,
    told,
    once,
    loss,
    add: async (...servers: ReadonlyArray<string>) => {
      for (const server of servers) await once((of) => give(of, (r) => r.servers.add({ name: server })))
    },
    sync: () => once(sync),
    copy: () => {
      const into = freshPath()
      copyFileSync(path, into)
      return into
    },
    replaceBy: (copy: string) => {
      for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true })
      copyFileSync(copy, path)
    },
    file: () => join(directory, readdirSync(directory)[0] as string),
  }
}

const cutOff = (path: string, after: number) =>
  withSqlite(damaged(path), (database) => {
    const [{ sql }] = database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'events_no_delete'").all()
    database.exec(`DROP TRIGGER events_no_delete; DELETE FROM events WHERE position > ${after}; ${sql}`)
  })

type Remembering = ReturnType<typeof remembering>
const ways: ReadonlyArray<readonly [string, (of: Remembering, older: string) => unknown, RegExp]> = [
  ["an older copy in its place", (of, older) => of.replaceBy(older), /ends at position 2/],
  ["its end cut off", ({ path }) => cutOff(path, 3), /ends at position 3/],
  ["no file", ({ path }) => rmSync(path), /no events/],
  ["an empty file", ({ path }) => writeFileSync(path, ""), /no events/],
  [
    "another log",
    async (of) => {
      const other = remembering("other")
      await other.add("x", "y", "z", "u", "v")
      of.replaceBy(other.path)
    },
    /another log/,
  ],
  [
    "an older copy that went on elsewhere",
    async (of, older) => {
      const other = remembering("other", older)
      await other.add("x", "y", "z")
      of.replaceBy(older)
    },
    /another history/,
  ],
]

describe("a log that lacks what this machine has seen of it", () => {
  it.each(ways)("is told of until a person accepts it: %s", async (_, lose, words) => {
    const one = remembering("one")
    await one.add("a", "b")
    const older = one.copy()
    await one.add("c", "d")
    expect(one.told).toEqual([])
    await lose(one, older)
    expect((await one.loss())?.message).toMatch(words)
    await one.add("later")
    expect(await one.loss()).toMatchObject({ position: 4 })
    expect(one.told.length).toBe(3)
    const verify = Effect.flatMap(Audit, (audit) => audit.verify())
    expect((await one.once((of) => of.run(verify))).findings).toContainEqual(expect.objectContaining({ kind: "loss" }))
    expect(await one.once((of) => of.run(Effect.flatMap(Audit, (audit) => audit.accept)))).toMatchObject({
      position: 4,
    })
    one.told.length = 0
    await one.add("after")
    expect(await one.loss()).toBe(null)
    expect(one.told).toEqual([])
  })

  it("is told of also where it was told of before, and lacks more since then", async () => {
    const one = remembering("one")
    await one.add("a")
    const first = one.copy()
    await one.add("b")
    one.replaceBy(first)
    await one.add("c", "d", "e")
    const second = one.copy()
    expect(await one.loss()).toMatchObject({ position: 2 })
    await one.add("f", "g")
    one.replaceBy(second)
    const loss = await one.loss()
    expect(loss).toMatchObject({ position: 6, message: expect.stringMatching(/position 6.*before that: .*position 2/) })
    await one.add("h")
    one.replaceBy(first)
    expect((await one.loss())?.position).toBe(6)
    expect(await one.once((of) => of.run(Effect.flatMap(Audit, (audit) => audit.accept)))).toEqual(
      (await one.loss()) ?? expect.objectContaining({ position: 6 }),
    )
    expect(await one.loss()).toBe(null)
  })

  it("is told once where two ends of it are told in the same words", async () => {
    const of = remembering("one")
    await of.add("a", "b")
    const older = of.copy()
    for (const name of ["c", "d"]) {
      await of.add(name)
      of.replaceBy(older)
    }
    const told = (await of.loss())?.message.split("; before that: ")
    expect(told).toEqual([...new Set(told)])
    expect(told?.[0]).toMatch(/ends at position 2.*end at position 3/)
  })

  it("is told of at once, also to who has it open", async () => {
    const one = remembering("one")
    await one.add("a", "b")
    await one.once(async (of) => {
      cutOff(one.path, 1)
      expect(await of.run(Effect.flatMap(Sync, ({ status }) => status))).toMatchObject({ loss: { position: 2 } })
    })
  })
})

describe("nothing is told", () => {
  it("of a copy elsewhere, nor of a log that was moved; but of an older copy where it is all there is", async () => {
    const one = remembering("one")
    await one.add("a")
    const older = one.copy()
    const another = one.copy()
    await one.add("b")
    expect(await one.loss(older)).toBe(null)
    const moved = `${one.path}.moved`
    renameSync(one.path, moved)
    expect(await one.loss(moved)).toBe(null)
    renameSync(moved, `${one.path}.away`)
    expect((await one.loss(another))?.message).toMatch(/ends at position 1/)
  })

  it("of a memory that lags behind, which then catches up", async () => {
    const one = remembering("one")
    await one.add("a")
    const before = readFileSync(one.file())
    await one.add("b")
    writeFileSync(one.file(), before)
    expect(await one.loss()).toBe(null)
    expect(JSON.parse(readFileSync(one.file(), "utf8")).head.position).toBe(2)
  })

  it.each(["kept up", "lagging"])("when events get another place or are refused, the memory %s", async (which) => {
    const sequencer = makeSequencer()
    const [one, two] = [remembering("one", undefined, sequencer), remembering("two", undefined, sequencer)]
    await one.add("a", "b")
    await two.add("x")
    await two.sync()
    const stories: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
      ["two histories become one", () => one.sync()],
      ["others' come first", () => one.sync()],
      ["the newest of ours is refused", () => one.sync()],
      ["the newest that both know counts for nothing", () => one.sync()],
    ]
    for (const { path } of [one, two]) withNoise(path)
    for (const [index, [name, story]] of stories.entries()) {
      if (index > 0) {
        if (index === 3) slipIn(sequencer.connection, unsigned([draft({ body: { name: 1 } })]))
        for (const other of index === 3 ? [two, one] : [two]) await other.sync()
        await two.add(`n${index}`)
        await two.sync()
        await one.add(index === 2 ? `n${index}` : `own${index}`)
      }
      const before = readFileSync(one.file())
      await story()
      if (which === "lagging") writeFileSync(one.file(), before)
      expect([name, await one.loss()]).toEqual([name, null])
    }
    expect(await one.once((of) => of.run(Effect.flatMap(Sync, ({ rejected }) => rejected)))).toHaveLength(1)
    expect(one.told).toEqual([])
  })
})

describe("of a shared log", () => {
  it("an older copy is told of, and synchronising brings back what was shared", async () => {
    const sequencer = makeSequencer()
    const one = remembering("one", undefined, sequencer)
    await one.add("a")
    await one.sync()
    const older = one.copy()
    await one.add("b")
    await one.sync()
    one.replaceBy(older)
    expect(await one.loss()).toMatchObject({ next: expect.stringContaining("sync now") })
    await one.sync()
    expect(await one.loss()).toBe(null)
  })

  it("so many events are told as lost as were cut off and not shared", async () => {
    const one = remembering("one", undefined, makeSequencer())
    await one.add("a")
    await one.sync()
    await one.add("b", "c", "d")
    cutOff(one.path, 3)
    expect((await one.loss())?.message).toContain(
      "the last event of this machine, which it had not shared, is not in it",
    )
    cutOff(one.path, 2)
    expect((await one.loss())?.message).toContain("the last 2 events of this machine")
  })

  it("what only this machine had is missing until it is accepted, however others went on", async () => {
    const sequencer = makeSequencer()
    const [one, two] = [remembering("one", undefined, sequencer), remembering("two", undefined, sequencer)]
    await one.add("a")
    await one.sync()
    const older = one.copy()
    await one.add("own")
    one.replaceBy(older)
    await two.sync()
    await two.add("x", "y", "z")
    await two.sync()
    await one.add("again")
    await one.sync()
    expect((await one.loss())?.position).toBe(2)
  })
})

describe("the memory", () => {
  it("is a small file of its own for every log, for nobody else to read, whatever the umask", async () => {
    const one = remembering("one")
    await one.add("a")
    const before = process.umask(0)
    try {
      rmSync(one.directory, { recursive: true })
      await one.add("b")
      await one.loss(one.copy())
    } finally {
      process.umask(before)
    }
    expect(statSync(one.directory).mode & 0o777).toBe(0o700)
    const files = readdirSync(one.directory).map((name) => statSync(join(one.directory, name)))
    expect(files.map(({ mode }) => mode & 0o777)).toEqual([0o600, 0o600])
    expect(Math.max(...files.map(({ size }) => size))).toBeLessThan(2_000)
  })

  it("holds so many logs and no more, and never forgets the one that it has just seen", async () => {
    const one = remembering("one")
    await one.add("a")
    for (let i = 0; i < 300; i++) copyFileSync(one.file(), join(one.directory, `${i}.json`))
    const other = one.copy()
    await one.loss(other)
    expect(readdirSync(one.directory).length).toBe(200)
    cutOff(other, 0)
    expect(await one.loss(other)).toMatchObject({ position: 1 })
  })

  it.each([
    ["empty", ""],
    ["no JSON", "{"],
    ["null", "null"],
    ["something else", "[1, 2]"],
    ["a part of it", '{"path": "x", "first": "y", "at": "z", "rebases": 0, "logId": null, "confirmed": null}'],
  ])("is told of where it is damaged, and begun anew: %s", async (_, text) => {
    const one = remembering("one")
    await one.add("a")
    writeFileSync(one.file(), text)
    expect(await one.loss()).toBe(null)
    expect(one.told).toEqual([expect.stringContaining("begun anew")])
    expect(JSON.parse(readFileSync(one.file(), "utf8")).head.position).toBe(1)
  })
})

describe.each([
  ["a link to it", (path: string, link: string) => symlinkSync(path, link), (link: string) => link],
  ["a link to its directory", (path: string, link: string) => symlinkSync(dirname(path), link), (link: string) => join(link, "infra.db")], // biome-ignore format: one line
] as const)("a log that is also named by %s", (_, make, of) => {
  const named = async () => {
    const one = remembering("one")
    await one.add("a")
    const link = join(mkdtempSync(join(dirname(one.path), "links-")), "link")
    make(one.path, link)
    return { one, other: of(link) }
  }

  it("is known under the one name as it was seen under the other, and missed", async () => {
    const { one, other } = await named()
    const older = one.copy()
    await one.once((machine) => give(machine, (r) => r.servers.add({ name: "b" })), other)
    expect(await one.loss()).toBeNull()
    expect(readdirSync(one.directory)).toHaveLength(1)
    one.replaceBy(older)
    for (const name of [one.path, other])
      expect(await one.loss(name)).toMatchObject({ message: expect.stringMatching(/ends at position 1/) })
  })

  it("lacks nothing under the one name that was given up under the other", async () => {
    const { one, other } = await named()
    await one.add("b")
    cutOff(one.path, 1)
    await one.once((machine) => machine.run(Effect.flatMap(Audit, (audit) => audit.accept)))
    expect(await one.loss(other)).toBeNull()
  })

  it("is missed by what an earlier version remembered under the name that it was given", async () => {
    const { one, other } = await named()
    await one.add("b")
    const remembered = recallLog(one.directory, one.path) as Remembered
    rmSync(one.file())
    writeRemembered(one.directory, { ...remembered, path: other })
    cutOff(one.path, 1)
    expect(await one.loss(other)).toMatchObject({ message: expect.stringMatching(/ends at position 1/) })
    await one.once((machine) => machine.run(Effect.flatMap(Audit, (audit) => audit.accept)), other)
    expect(await one.loss(other)).toBeNull()
    expect(readdirSync(one.directory)).toHaveLength(1)
  })
})
