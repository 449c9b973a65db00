/** Bad input: a clear error on standard error, once, the right status, and the log as it was. */

import { spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { bundle } from "./support/bundle.js"
import { context, workspace } from "./support/cli.js"

const Native = createRequire(import.meta.url)("libsql")

describe("refusals", () => {
  const ws = workspace()
  beforeAll(async () => {
    await ws.succeed("server add hetzner --ip 192.0.2.1")
    await ws.succeed("server add node1 --ip 192.0.2.2")
    await ws.succeed("server add inner --ip 192.0.2.3 --ssh jump=node1")
    await ws.succeed("service add api --server hetzner --port 3000")
    await ws.succeed("service add postgres --server hetzner")
    await ws.succeed("service add postgres --server node1")
    await ws.succeed("dep add api --on hetzner/postgres")
    await ws.succeed("route add api.example.com --service api")
  })

  const refusals: ReadonlyArray<readonly [line: string, code: number, ...says: ReadonlyArray<RegExp>]> = [
    ["server show hetznr", 1, /no server named "hetznr" — did you mean hetzner\?/, /context infra server list/],
    ["service show apii", 1, /did you mean api\?/, /context infra service list/],
    ["service show postgres", 1, /ambiguous: say one of hetzner\/postgres, node1\/postgres/],
    ["server add hetzner", 1, /server "hetzner" already exists/],
    ["service add api --server hetzner", 1, /already exists/],
    ["server remove hetzner --yes", 1, /still used by service api, service postgres/, /--cascade/],
    ["server remove hetzner", 1, /still used by/],
    [
      "server remove node1 --cascade --yes",
      1,
      /still used by server inner, which jumps through it/,
      /--ssh "jump=<other>"/,
    ],
    ["server remove node2", 1, /did you mean node1\?/],
    ["route remove api.example.com", 1, /whether to remove route api\.example\.com/, /add --yes/],
    ["dep add hetzner/postgres --on api", 1, /hetzner\/postgres → hetzner\/api → hetzner\/postgres/],
    ["dep add api", 2, /either --on <service> or --external <name>/],
    ["service add web --server hetzner --port 65536", 2, /--port must be a port from 1 to 65535/],
    ["service add web --server hetzner --port abc", 2, /--port must be a whole number/],
    ["service add web", 2, /--server is missing/, /service add --help/],
    ["service add web --server hetzner --config [1]", 2, /--config must be a JSON object/],
    ["service add web --server hetzner --health health", 2, /--health must be a path/],
    ["server add x --ip 1.2.3", 2, /--ip must be an IPv4 or IPv6 address/],
    ["server add x --role prod", 2, /--role must be one of production, staging, development, homelab, not "prod"/],
    ["server add x --ssh usr=me", 2, /--ssh does not know "usr"/],
    ["server add x --ssh me", 2, /"me" is not key=value/],
    ["server add x --ssh port=0", 2, /port must be a number from 1 to 65535/],
    ["server add x --ssh user=a,user=b", 2, /says user twice/],
    ["server add x --ssh user=a,jump=hetznr", 1, /did you mean hetzner\?/],
    ["server add -x", 2, /there is no option -x/],
    ["server add x --rol staging", 2, /no option --rol — did you mean --role\?/],
    ["server add x --role staging --role staging", 2, /--role is given twice/],
    ["server add x --notes --json", 2, /--notes needs a value/],
    ["server add x y", 2, /one word too many: "y"/],
    ["server add", 2, /missing argument <name>/],
    ["server ad x", 2, /context infra server has no command "ad" — did you mean add\?/],
    ["serer list", 2, /context infra has no command "serer" — did you mean server\?/],
    ["server list --at tomorrow", 2, /--at "tomorrow" is not a moment/],
    ["diff tomorrow now", 2, /^error: <from> "tomorrow" is not a moment/],
    ["diff 1 tomorrow", 2, /^error: <to> "tomorrow" is not a moment/],
    ["audit replay --to tomorrow --into copy.db", 2, /--to "tomorrow" is not a moment/],
    ["server list --at 999", 2, /--at is beyond the end: the log ends at position 8/],
    ["events --since yesterday", 2, /--since must be a span/],
    ["server list --at 2026-02-30", 2, /--at "2026-02-30" is not a moment: say 2026-11-01T12:00Z/],
    ["server list --known-at 2026-11-31", 2, /--known-at "2026-11-31" is not a moment/],
    ["diff 2026-02-30 now", 2, /^error: <from> "2026-02-30" is not a moment/],
    ["events --since 2026-02-30", 2, /--since must be a span .* or a time such as 2026-11-01T12:00Z/],
    ["events --since 999999999w", 2, /--since must be a span/],
    ["audit replay --to 2026-11-31 --into copy.db", 2, /--to "2026-11-31" is not a moment/],
    ["server list --at 2099-01-01", 2, /--at is beyond now, which is \d{4}-\d\d-\d\dT\d\d:\d\dZ by this log's clock/],
    ["server list --known-at 2099-01-01", 2, /--known-at is beyond now/],
    ["diff 1 2099-01-01", 2, /^error: <to> is beyond now/],
    ["audit replay --to 2099-01-01 --into copy.db", 2, /--to is beyond now/],
    ["diff 3 1", 2, /^error: <from> is later than the other moment: name the earlier one first/],
    ["diff now 1", 2, /^error: <from> is later than the other/],
    ["events --at 3 --known-at 3", 2, /give one/, /context infra events --help/],
    ["service show api --at 3 --known-at 3", 2, /context infra service show --help/],
    ["events --limit 0", 2, /--limit must be at least 1, not 0/, /context infra events --help/],
    ["events --limit -1", 2, /--limit must be at least 1, not -1/],
    ["history api --limit 0", 2, /--limit must be at least 1/],
    ["sync log --limit -3", 2, /--limit must be at least 1/],
    ["sync invite --uses 0", 2, /--uses must be at least 1/],
    ["service status api --lines -1", 2, /--lines must be at least 0/],
    ["server run --all --concurrency 0 -- true", 2, /--concurrency must be at least 1/],
    ["deploy api --health-count 0", 2, /--health-count must be at least 1/],
    ["server add x --cpu -1", 2, /--cpu must be at least 1/],
    ["server update node1 --cpu 0", 2, /--cpu must be at least 1/],
    ["server add x --ram -3GB", 2, /--ram must be a size such as 32GB/],
    ["server update node1 --disk=-1TB", 2, /--disk must be a size such as 1TB/],
    ['backup ""', 2, /<file> must not be empty/, /context infra backup --help/],
    ['restore "" --yes', 2, /<file> must not be empty/],
    ['audit import ""', 2, /<file> must not be empty/],
    ['audit export --into ""', 2, /--into must not be empty/],
    ['audit replay --to 1 --into ""', 2, /--into must not be empty/],
    ['server import --config ""', 2, /--config must not be empty/],
    ['status --db ""', 2, /--db must not be empty/],
    ['machine approve ""', 2, /<name> must not be empty/],
    ['audit log ""', 2, /<name> must not be empty/],
    ['events --server ""', 1, /no server named ""\n/],
    ['server status ""', 2, /<name> must not be empty/],
    ['server rename node1 ""', 2, /<new> must not be empty/],
    ["deploy api --health-timeout soon", 2, /--health-timeout must be a span/],
    ["deploy api", 1, /has no deploy command/, /service update/],
    ["rollback api", 1, /no earlier version/],
    ["secret add KEY --service api --path sk_live_0123456789abcdefghij", 2, /looks like a secret|the secret itself/],
    ["server ssh hetzner --json", 2, /--json gives the output of a command/],
  ]

  for (const [line, code, ...says] of refusals) {
    it(line, async () => {
      const before = ws.events()
      const ended = await ws.run(line)
      expect(ended.stdout).toBe("")
      for (const pattern of says) expect(ended.stderr).toMatch(pattern)
      expect(ended.code, ended.stderr).toBe(code)
      expect(ended.stderr.match(/error:/g)).toHaveLength(1)
      expect(ws.events()).toBe(before)
    })
  }

  it("refuses the same way with --json, and prints no document", async () => {
    const ended = await ws.run("server show hetznr --json")
    expect(ended).toMatchObject({ code: 1, stdout: "" })
    expect(ended.stderr).toMatch(/did you mean/)
  })

  it("--cascade removes what is in the way", async () => {
    const { removed } = await ws.json("server remove hetzner --cascade --yes")
    expect(removed.map((one: any) => one.type).sort()).toEqual([
      "DependencyRemoved",
      "RouteRemoved",
      "ServerRemoved",
      "ServiceRemoved",
      "ServiceRemoved",
    ])
    expect((await ws.json("service list")).map((row: any) => row.server)).toEqual(["node1"])
  })

  it("a key file that cannot be read stops ssh before anything is sent", async () => {
    await ws.succeed("server add keyless --ip 192.0.2.9 --ssh key=/nowhere/id")
    const before = ws.events()
    const ended = await ws.run("server ssh keyless -- true")
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/key file \/nowhere\/id cannot be read: there is no such file/)
    expect(ws.events()).toBe(before)
  })
})

describe("files that are no log of ours", () => {
  const ws = workspace()
  const written = (name: string, write: (path: string) => void): string => {
    const path = join(ws.directory, name)
    write(path)
    return path
  }
  const make = (name: string, sql: string): string =>
    written(name, (path) => {
      const database = new Native(path)
      database.exec(sql)
      database.close()
    })

  it.each([
    ["not a database", () => written("text", (path) => writeFileSync(path, "hello ".repeat(1000))), /not a database/],
    ["another program's", () => make("foreign", "CREATE TABLE people (id)"), /some other program/],
    [
      "a newer schema",
      () => make("newer", "PRAGMA application_id = 1129597253; PRAGMA user_version = 999; CREATE TABLE x (id)"),
      /newer/,
    ],
    ["a directory", () => written("dir", (path) => mkdirSync(path)), /dir/],
  ] as const)("%s", async (_, file, says) => {
    const path = file()
    for (const line of ["status", "server list", "server add x"]) {
      const ended = await ws.run(`${line} --db ${path}`)
      expect(ended, ended.stderr).toMatchObject({ code: 1, stdout: "" })
      expect(ended.stderr).toMatch(says)
    }
  })
})

describe("the program's own options", () => {
  const ws = workspace()

  it("--version, --help, --completions", async () => {
    expect((await context(["--version"])).stdout).toMatch(/^context \d+\.\d+\.\d+\n$/)
    const help = await context(["--help"])
    expect(help).toMatchObject({ code: 0, stderr: "" })
    expect(help.stdout).toMatch(/server[\s\S]*deploy|deploy[\s\S]*server/)
    expect((await context(["infra", "server", "add", "--help"])).stdout).toMatch(/--ssh[\s\S]*jump/)
    expect((await context(["infra", "server"])).stdout).toMatch(/rename/)
    expect((await context(["--completions", "bash"])).stdout).toContain("--health-timeout")
  })

  it("options may stand anywhere, and deploy's --version is the service's", async () => {
    await ws.succeed("server add a --local")
    expect(JSON.parse((await context(["infra", "--db", ws.db, "server", "--json", "list"])).stdout)).toHaveLength(1)
    await ws.succeed("service add api --server a --deploy true")
    const ended = await ws.run("deploy api --version v1")
    expect(ended.stderr).toMatch(/does not say where the version goes/)
  })

  it("words after -- are words", async () => {
    expect((await ws.run("server show -- --json")).stderr).toMatch(/no server named "--json"/)
  })

  it("a reader that goes away is no failure; a disk that is full is", async () => {
    const line = `${process.execPath} ${await bundle()} infra server list --db ${ws.db}`
    const shell = (script: string) => spawnSync("sh", ["-c", script], { encoding: "utf8" })
    expect(shell(`{ ${line}; echo $? >&2; } | true`).stderr).toBe("0\n")
    expect(shell(`${line} > /dev/full`)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/could not be written/),
    })
  })
})
