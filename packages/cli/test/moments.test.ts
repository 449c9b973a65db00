/** `--at`: the past, by position, by instant and by how long ago. */
import { beforeAll, describe, expect, it } from "vitest"
import { workspace } from "./support/cli.js"

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
})
