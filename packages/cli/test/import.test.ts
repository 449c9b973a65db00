/** Servers from ssh's configuration, from the command line: real files, and the real ssh. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, expect, it } from "vitest"
import { requireTool } from "../../core/test/support/tools.js"
import { workspace } from "./support/cli.js"

requireTool("ssh", "openssh-client")("server import", () => {
  const ws = workspace()
  const config = join(ws.directory, "hosts")
  beforeAll(() => {
    writeFileSync(
      config,
      `Host web www
  HostName web.example.com
  User ada
  Port 2222
Host box
  HostName 192.0.2.7
  User ada
Host inner
  HostName 10.0.0.9
  User ada
  ProxyJump box
Host github.com
  User git
Host "ev\u001b[31mil\u202e"
  HostName 192.0.2.9
`,
    )
  })

  const names = async () => (await ws.json("server list")).map((row: any) => row.name)

  it("shows what it found and what it leaves out, and registers nothing", async () => {
    const { code, stdout } = await ws.run(["server", "import", "--config", config])
    expect(code).toBe(0)
    expect(stdout).toBe(
      [
        "3 servers in 1 file: 3 new",
        "",
        "  + server web",
        "      hostname web.example.com, user ada, port 2222",
        "      · there it is also called www",
        "",
        "  + server box",
        "      ip 192.0.2.7, user ada, port 22",
        "",
        "  + server inner",
        "      ip 10.0.0.9, user ada, port 22, jump box",
        "",
        "! evil: holds characters that no name of a host has",
        "! github.com: its user is git: a place for repositories, not a server",
        "",
        `nothing was registered; choose what is to be: context infra server import --config ${config} --apply`,
        "",
      ].join("\n"),
    )
    expect(await names()).toEqual([])
  })

  it("needs a file, and somebody to choose", async () => {
    expect(await ws.run("server import --config nowhere")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^error: there is no nowhere that can be read\n {2}name another: /),
    })
    expect(await ws.run("server import --apply")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("look first: context infra server import; then add --yes"),
    })
    expect(await ws.run("server import --yes")).toMatchObject({ code: 2 })
    expect(await ws.run(["server", "import", "--config", ""])).toMatchObject({ code: 2 })
  })

  it("registers what a person marks, and says what that leaves out", async () => {
    let typed = false
    const { code, stdout } = await ws.run(["server", "import", "--config", config, "--apply"], {
      terminal: true,
      env: { TERM: "xterm" },
      watch: (soFar, _, type) => {
        if (typed || !soFar.includes("3 marked")) return
        typed = true
        type("j \r")
      },
    })
    expect(code, stdout).toBe(1)
    expect(stdout).toMatch(/✓.* registered web\r?\n/)
    expect(stdout).toContain("inner: its jump host box is not registered: choose it, too")
    expect(await names()).toEqual(["web"])
  })

  it("--yes takes them all; afterwards they are as registered, and a change is shown field by field", async () => {
    expect(await ws.succeed(["server", "import", "--config", config, "--apply", "--yes"])).toMatch(
      /✓ registered box, inner\n$/,
    )
    expect(await names()).toEqual(["box", "inner", "web"])
    expect(await ws.succeed(["server", "import", "--config", config])).toMatch(
      /^3 servers in 1 file: nothing new, 3 as registered\n/,
    )
    await ws.succeed("server update web --ssh port=22")
    const { applied, findings } = await ws.json(["server", "import", "--config", config])
    expect(applied).toBeNull()
    expect(findings[0]).toMatchObject({ change: "changed", fields: [{ field: "port", from: 22, to: 2222 }] })
    expect(await ws.succeed(["server", "import", "--config", config])).toContain(
      "  ~ server web\n      port 22 → 2222\n",
    )
  })
})
