/** What this machine remembers of its log outside the file: a log that lacks some of it is told of in every command. */
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it, vi } from "vitest"
import { workspace } from "./support/cli.js"

// Each step is a program that starts, on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 })

/** A log of five events, an older copy of it of three, and where its memory is. */
const begun = async () => {
  const at = workspace()
  const older = join(at.directory, "older.db")
  const memory = join(at.directory, ".config", "context", "logs")
  for (const name of ["a", "b", "c"]) await at.succeed(`server add ${name} --local`)
  copyFileSync(at.db, older)
  for (const name of ["d", "e"]) await at.succeed(`server add ${name} --local`)
  return { ...at, older, memory }
}

type Begun = Awaited<ReturnType<typeof begun>>

const remove = ({ db }: Begun) => {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(db + suffix, { force: true })
}

const losses: ReadonlyArray<readonly [string, (at: Begun) => void, RegExp]> = [
  [
    "an older copy in its place",
    (at) => copyFileSync(at.older, at.db),
    /ends at position 3.*seen it end at position 5/,
  ],
]

describe("a log that lacks what this machine has seen of it", () => {
  it.each(losses)("is told of in every command: %s", async (_, lose, told) => {
    const at = await begun()
    lose(at)
    const red = ["doctor", "alert", "audit verify", "sync status"]
    for (const line of [...red, "status", "server list --at 1m", "server add f --local"]) {
      const { code, stderr, stdout } = await at.run(line)
      // What doctor says is on its own list.
      if (line !== "doctor") expect(stderr, line).toMatch(told)
      if (red.includes(line)) expect({ line, code }).toEqual({ line, code: 1 })
      if (red.includes(line)) expect(stdout.replace(/\s+/g, " "), line).toMatch(told)
    }
    const accepted = await at.run("audit accept --yes")
    expect(accepted).toMatchObject({ code: 0, stdout: expect.stringMatching(/given up: .*to position 5/) })
    expect(await at.run("status")).toMatchObject({ stderr: "" })
    expect(await at.run("audit verify")).toMatchObject({ code: 0, stderr: "" })
  })

  it.each([
    ["named", "gone"],
    ["not named", "gone"],
    ["not named", "emptied"],
  ])("is told of where its file is %s and %s, and not made anew by what only reads", async (how, what) => {
    const [at, named, emptied] = [await begun(), how === "named", what === "emptied"]
    remove(at)
    if (emptied) writeFileSync(at.db, "")
    const copy = join(at.directory, "copy.db")
    const lines = [
      ...[
        "status",
        "alert",
        "server list",
        "audit verify",
        "audit log a",
        `backup ${copy}`,
        "health",
        "server run a -- true",
      ],
      ...["server add f --local", "machine root --yes", "event add done", "serve --port 0"],
    ]
    for (const line of lines) {
      expect(await at.run(named ? withDb(line, at.db) : line), line).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(
          /there is no log any more; this machine has seen it end at position 5, .*\n {2}.*restore/,
        ),
      })
    }
    expect(await at.run(named ? `audit accept --db ${at.db}` : "audit accept")).toMatchObject({ code: 1 })
    expect(existsSync(copy)).toBe(false)
    if (emptied) expect(statSync(at.db).size).toBe(0)
    else expect(existsSync(at.db)).toBe(false)
  })

  it("is told of with the way back: a backup", async () => {
    const at = await begun()
    const backup = join(at.directory, "backup.db")
    await at.succeed(`backup ${backup}`)
    remove(at)
    expect((await at.run("status")).stderr).toContain("context infra restore <backup>")
    expect(await at.run(`restore ${backup} --yes`)).toMatchObject({ code: 0, stderr: "" })
    expect(await at.run("audit verify")).toMatchObject({ code: 0, stderr: "" })
  })

  it("is what restore leaves of an older backup, and says so once", async () => {
    const at = await begun()
    const restored = await at.run(`restore ${at.older} --yes`)
    expect(restored).toMatchObject({ code: 0, stderr: "" })
    expect(restored.stdout).toMatch(/given up: .*to position 5/)
    expect(await at.run("audit verify")).toMatchObject({ code: 0, stderr: "" })
    expect(await at.run("alert")).toMatchObject({ code: 0, stderr: "" })
  })
})

describe("the memory", () => {
  it("that cannot be written keeps nobody from work, and doctor tells", async () => {
    const at = await begun()
    rmSync(at.memory, { recursive: true })
    writeFileSync(at.memory, "")
    expect(await at.run("server add f --local")).toMatchObject({ code: 0 })
    expect((await at.run("doctor")).stdout.replace(/\s+/g, " ")).toContain("remembered of the log cannot be read")
  })
})

/** Before what is run elsewhere: options behind that belong to it. */
const withDb = (line: string, db: string): string => {
  const [own, command] = line.split(" -- ")
  return `${own} --db ${db}${command === undefined ? "" : ` -- ${command}`}`
}

it("a wrong name is no empty log: what only reads makes nothing there", async () => {
  const at = await begun()
  const wrong = join(at.directory, "wrong", "infra.db")
  const reading = [
    "status",
    "alert",
    "events",
    "server list",
    "server list --at now",
    "dep list",
    "machine list",
    "sync status",
  ]
  for (const line of [
    ...reading,
    "audit verify",
    "audit log a",
    "diff 0",
    "rebuild",
    "sync log",
    "sync rejected",
    "health",
    "server status",
    "route check",
    "deploy api --plan",
    "service logs api",
    "server run a -- true",
    "service stop api",
    "secret list",
    "deps api",
    "history api",
    "server import",
    "scan",
    `backup ${join(at.directory, "copy.db")}`,
  ])
    expect(await at.run(withDb(line, wrong)), line).toMatchObject({
      code: 1,
      stderr: `error: there is no log at ${wrong}\n`,
    })
  expect(existsSync(join(at.directory, "wrong"))).toBe(false)
  // What writes makes one, where there is a place for it.
  mkdirSync(dirname(wrong))
  expect(await at.run(`server add b --db ${wrong}`)).toMatchObject({ code: 0 })
  expect(await at.run(`server list --db ${wrong}`)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^b /m) })
  expect(await at.run(`audit verify --db ${wrong}`)).toMatchObject({ code: 0 })
})

it("what a restore gives up is given up under the log's own name, too, where it was named by a link", async () => {
  const at = await begun()
  const [backup, link] = ["backup.db", "link.db"].map((name) => join(at.directory, name)) as [string, string]
  expect(await at.run(`backup ${backup}`)).toMatchObject({ code: 0 })
  expect(await at.run("server add later")).toMatchObject({ code: 0 })
  symlinkSync(at.db, link)
  expect(await at.run(`restore ${backup} --yes --db ${link}`)).toMatchObject({ code: 0 })
  for (const line of ["audit verify", `audit verify --db ${link}`])
    expect(await at.run(line), line).toMatchObject({ code: 0, stderr: "" })
})

it("a restore that was done is told as done, though what this machine remembers could not follow", async () => {
  const at = await begun()
  rmSync(at.memory, { recursive: true })
  writeFileSync(at.memory, "no directory")
  const { code, stdout } = await at.run(`restore ${at.older} --yes`)
  expect({ code, stdout: stdout.replace(/\s+/g, " ") }).toEqual({
    code: 0,
    stdout: expect.stringMatching(
      /✓ restored 3 events .* what was there is in .* remembers of the log could not be written .*audit accept/,
    ),
  })
  rmSync(at.memory)
  expect(await at.run("audit verify")).toMatchObject({ code: 0 })
})
