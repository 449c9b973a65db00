/** Scans from the command line: a real sshd on a host whose tools print what the real ones print, hostile words included. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import {
  container,
  nginxSite,
  ownUnit,
  publishing,
  socketLine,
  unitBlock,
} from "../../core/test/services/scanner/outputs.js"
import { describeSshd, type Sshd, startSshd } from "../../core/test/support/sshd.js"
import { workspace } from "./support/cli.js"

const bad = "\u001b[31m\u001b]0;owned\u0007\u202e"

describeSshd("scan", () => {
  const ws = workspace()
  const tools = join(ws.directory, "tools")
  let sshd: Sshd

  const tool = (name: string, output: string, before = "") => {
    writeFileSync(join(tools, `${name}.out`), output)
    writeFileSync(join(tools, name), `#!/bin/sh\n${before}\ncat "${join(tools, name)}.out"\n`)
    chmodSync(join(tools, name), 0o755)
  }

  beforeAll(async () => {
    mkdirSync(tools)
    for (const name of ["podman", "caddy", "pm2"]) tool(name, "")
    tool("podman", "", "exit 1")
    tool("systemctl", [ownUnit("api", 4_100_002), unitBlock("nginx", { MainPID: 4_100_003 })].join("\n\n"))
    const web = container("web", { image: `evil${bad}/web:1`, ports: publishing(8080, 80), directory: `/srv/${bad}` })
    tool("docker", `${web}\n`, `[ "$1" = ps ] && { echo "${JSON.parse(web).id}"; exit 0; }`)
    tool(
      "ss",
      [
        socketLine("127.0.0.1:3000", "node", 4_100_002, "api.service"),
        socketLine("0.0.0.0:80", "nginx", 4_100_003, "nginx.service"),
      ].join("\n"),
    )
    tool("nginx", `# configuration file /etc/nginx/sites-enabled/api:\n${nginxSite("api.example.com", 3000)}`)
    tool("crontab", "0 3 * * * /srv/shop/backup.sh\n")
    const env = [`SetEnv HOME=${ws.directory} PATH=${tools}:/usr/local/bin:/usr/bin:/bin`]
    sshd = await startSshd({ extra: env })
    const ssh = `user=${sshd.user},port=${sshd.port},key=${sshd.keyPath}`
    await ws.succeed(["server", "add", "box", "--ip", sshd.host, "--ssh", ssh])
    await ws.run("server status --accept-host-key")
    await ws.succeed("service add old --server box --port 9")
  })
  afterAll(() => sshd.dispose())

  const services = async () => (await ws.json("service list")).map((row: any) => row.name).sort()

  it("shows what is new and gone, with its evidence and how sure it is, and registers nothing", async () => {
    const before = ws.events()
    const { code, stderr, stdout } = await ws.run("scan box")
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toMatch(/^box: 6 new, 1 gone\n! podman did not say \(may the login ask it\?\)\n\n/)
    expect(stdout).toContain(
      [
        "  + service api, high (88%)",
        "      type app, runtime systemd, port 3000, project /srv/api, config unit=api.service",
        "      · unit api.service: /srv/api/server.js",
        "      · node listens on 127.0.0.1:3000",
        "      · nginx sends api.example.com to port 3000",
        "",
      ].join("\n"),
    )
    expect(stdout).toContain("  + service backup, low (35%)\n")
    expect(stdout).toContain("  - service old, medium (50%)\n      · nothing listens on port 9\n")
    expect(stdout).toMatch(/\n\nnothing was registered; choose what is to be: context infra scan box --apply\n$/)
    expect(ws.events()).toBe(before)
  })

  it("lets nothing that the host prints act on the terminal", async () => {
    for (const options of [{}, { terminal: true, env: { TERM: "xterm", NO_COLOR: "1" } }]) {
      const { stdout } = await ws.run("scan box", options)
      expect(stdout).toContain("container web of evil")
      for (const part of ["\u001b[31m", "owned", "\u202e", "\u0007"]) expect(stdout).not.toContain(part)
    }
    const document = await ws.succeed("scan box --json")
    for (const part of ["\u001b", "\u202e", "\u0007"]) expect(document).not.toContain(part)
  })

  it("--json gives the whole report", async () => {
    const [{ applied, error, report, server }] = await ws.json("scan")
    expect({ applied, error, server }).toEqual({ applied: null, error: null, server: "box" })
    expect(report.findings.find(({ id }: any) => id === "route api.example.com")).toMatchObject({
      change: "new",
      confidence: expect.any(Number),
      evidence: [{ source: "nginx" }],
      proposal: { _tag: "AddRoute" },
    })
    expect(report.sources).toContainEqual({ source: "podman", status: "failed", found: 0 })
  })

  it("--check is exit status 1 if anything differs", async () => {
    expect((await ws.run("scan box --check")).code).toBe(1)
  })

  it("without a person to ask, --apply needs --yes, and says so before it connects", async () => {
    const connections = sshd.connections()
    expect(await ws.run("scan box --apply")).toEqual({
      code: 1,
      stdout: "",
      stderr:
        "error: nobody is there to be asked what is to be registered\n  look first: context infra scan box; then add --yes\n",
    })
    for (const [line, why] of [
      ["scan --yes", "--yes goes with --apply"],
      ["scan --gone", "--gone goes with --apply"],
      ["scan --apply --check", "--check only looks"],
      ["scan --timeout soon", "--timeout must be a span"],
    ] as const) {
      expect(await ws.run(line)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(why) })
    }
    expect(sshd.connections()).toBe(connections)
  })

  /** Types keys once the list is on the screen. */
  const choosing = (keys: string) => {
    let typed = false
    return {
      terminal: true,
      env: { TERM: "xterm" },
      watch: (soFar: string, _: unknown, type: (keys: string) => void) => {
        if (typed || !/\d+ marked/.test(soFar)) return
        typed = true
        type(keys)
      },
    }
  }

  it("Ctrl-C at the list registers nothing, and is 130", async () => {
    const before = ws.events()
    expect((await ws.run("scan box --apply", choosing("\u0003"))).code).toBe(130)
    expect(ws.events()).toBe(before)
  })

  it("registers what a person marks; what is gone, and what is rather a guess, is not marked at first", async () => {
    const { code, stdout } = await ws.run("scan box --apply", choosing(" \u001b[B\r"))
    expect(code, stdout).toBe(0)
    expect(stdout).toMatch(/\[x\] \+ service web, /)
    expect(stdout).toMatch(/\[ \] \+ service backup, low/)
    expect(stdout).toMatch(/\[ \] - service old, medium/)
    expect(stdout).toMatch(/✓.* box: registered /)
    // The first in the list was unmarked, and all else that was marked was taken.
    expect(await services()).toEqual(["api", "nginx", "old"])
  })

  it("--yes takes what is at least half certain, and never what is gone", async () => {
    const ended = await ws.run("scan box --apply --yes")
    expect(ended.code, ended.stderr).toBe(0)
    expect(await services()).toEqual(["api", "nginx", "old", "web"])
    expect((await ws.json("route list")).map((row: any) => row.domain)).toContain("api.example.com")
    expect(await ws.succeed("scan box --apply --yes")).toMatch(/✓ box: nothing was chosen\n$/)
  })

  it("--gone takes that, too", async () => {
    expect(await ws.succeed("scan box --apply --yes --gone")).toMatch(/✓ box: removed service old\n$/)
    expect(await services()).toEqual(["api", "nginx", "web"])
    const [{ applied }] = await ws.json("scan box --apply --yes --gone")
    expect(applied).toEqual({ applied: [], skipped: [] })
  })

  it("one server that is dead is reported, and is exit status 1", async () => {
    await ws.succeed("server add dead --ip 127.0.0.1 --ssh user=x,port=1")
    const { code, stdout } = await ws.run("scan")
    expect(code).toBe(1)
    expect(stdout).toMatch(/^box: 1 new; \d+ as registered\n/)
    expect(stdout).toContain("\n✗ dead: nothing accepts connections at 127.0.0.1:1 ")
    const scans = await ws.run("scan --json")
    expect(JSON.parse(scans.stdout)).toMatchObject([
      { server: "box", error: null },
      { server: "dead", report: null, error: { reason: "unreachable" } },
    ])
    await ws.succeed("server remove dead --yes")
  })
})
