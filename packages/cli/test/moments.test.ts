/** `--at`: the past, by position, by instant and by how long ago. */
import { beforeAll, describe, expect, it } from "vitest"
import { clockAhead, workspace } from "./support/cli.js"

describe("--at", () => {
  const ws = workspace()
  let between = ""
  beforeAll(async () => {
    await ws.succeed("server add one --ip 192.0.2.1")
    await new Promise((resolve) => setTimeout(resolve, 1100))
    between = new Date().toISOString()
    await ws.succeed("server add two --ip 192.0.2.2")
    await ws.succeed("service add api --server two")
    await ws.succeed("server rename one first")
  })

  const names = (rows: ReadonlyArray<{ readonly name: string }>) => rows.map((row) => row.name)

  it("a position", async () => {
    expect(names(await ws.json("server list --at 1"))).toEqual(["one"])
    expect(names(await ws.json("server list --at 4"))).toEqual(["first", "two"])
    expect(await ws.json("server list --at 0")).toEqual([])
  })

  it("an instant", async () => {
    expect(names(await ws.json(`server list --at ${between}`))).toEqual(["one"])
    expect(names(await ws.json("server list --at 2020-01-01"))).toEqual([])
  })

  it("how long ago", async () => {
    expect(await ws.json("server list --at 1h")).toEqual([])
    expect(names(await ws.json("server list --at 0s"))).toEqual(["first", "two"])
  })

  it("says which moment is shown, apart from the answer", async () => {
    const ended = await ws.run("status --at 2")
    expect(ended.stderr).toMatch(/^as of position 2 of the log, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n$/)
    expect(ended.stdout).toContain("two")
    expect(ended.stdout).not.toContain("api")
    expect((await ws.run("status --at 0")).stderr).toMatch(/before the first event/)
  })

  it.each([
    "server show two",
    "service list",
    "service show api",
    "route list",
    "dep list",
    "deps api",
    "secret list",
    "events",
    "history api",
    "status",
  ])("%s", async (line) => {
    expect(await ws.json(`${line} --at 3`)).toBeDefined()
    expect(ws.events()).toBe(4)
  })

  it("--known-at asks what was recorded by then, everywhere beside --at, and not with it", async () => {
    expect(names(await ws.json(`server list --known-at ${between}`))).toEqual(["one"])
    expect(names(await ws.json("server list --known-at now"))).toEqual(["first", "two"])
    expect(await ws.run("server list --known-at 2h --at 1h")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("give one"),
    })
  })
})

describe("a clock that was a year ahead for one command", () => {
  const ws = workspace()
  const ahead = { env: { NODE_OPTIONS: `--require=${clockAhead(ws.directory, 365 * 86_400_000)}` } }
  const names = (rows: ReadonlyArray<{ readonly name: string }>) => rows.map((row) => row.name)

  it("leaves the past as it was, and is told", async () => {
    await ws.succeed("server add one --ip 192.0.2.1")
    await ws.succeed("server add future --ip 192.0.2.2", ahead)
    expect(names(await ws.json("server list --at now"))).toEqual(["future", "one"])
    // Nor does what is said of the moment repeat it, though no other clock has seen it yet.
    const year = new Date().getUTCFullYear()
    const said = async (moment: string) => (await ws.run(`status ${moment}`)).stderr
    for (const moment of ["--at now", "--at 2", "--known-at now", "--known-at 2"])
      expect(await said(moment), moment).toContain(`as of position 2 of the log, ${year}-`)
    await ws.succeed("server add two --ip 192.0.2.3")
    expect(await said("--at 2")).toContain(`as of position 2 of the log, ${year}-`)
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const then = new Date().toISOString()
    await ws.succeed("server add three --ip 192.0.2.4")
    expect(names(await ws.json("server list --at now"))).toEqual(await ws.json("server list").then(names))
    expect(names(await ws.json(`server list --at ${then}`))).toEqual(["future", "one", "two"])
    expect((await ws.run("doctor")).stdout).toMatch(/clock was wrong by 3\d+ s \(ahead\) when it wrote position \d/)
    expect((await ws.run("alert")).stdout).toMatch(/clock was wrong when it wrote position \d: 365 days ahead/)
  })
})
