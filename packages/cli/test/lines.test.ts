/** Every line of the contract, as written, in one log. */
import { beforeAll, describe, expect, it } from "vitest"
import { reached, workspace } from "./support/cli.js"

describe("the lines of the contract", () => {
  const ws = workspace()
  const deploy = "cd /opt/apps/api && git pull && bun run build && pm2 restart api"

  beforeAll(async () => {
    await ws.succeed(
      'server add myserver --ip 192.168.1.10 --role homelab --ssh "user=deploy,port=22,key=~/.ssh/id_ed25519"',
    )
    await ws.succeed(
      `service add api --server myserver --type app --port 3000 --health /health --project /opt/apps/api --deploy "${deploy}"`,
    )
    await ws.succeed("service add postgres --server myserver --type database --port 5432")
  })

  it("server add keeps all it is told", async () => {
    expect(await ws.json("server show myserver")).toMatchObject({
      name: "myserver",
      ipAddresses: ["192.168.1.10"],
      role: "homelab",
      sshConfig: { user: "deploy", port: 22, keyPath: "~/.ssh/id_ed25519", jumpHost: null },
      local: false,
      status: "unknown",
    })
    const added = await ws.json(
      'server add db1 --ip 10.0.0.7 --ip fd00::7 --tag a --tag=b --ssh "user=me,jump=myserver" --notes "two\nlines" --cpu 8 --ram 32GB',
    )
    expect(added).toMatchObject({
      ipAddresses: ["10.0.0.7", "fd00::7"],
      tags: ["a", "b"],
      sshConfig: { user: "me", port: 22, jumpHost: "myserver" },
      notes: "two\nlines",
      resources: { cpu: 8, ram: "32GB", disk: null },
    })
    expect(await ws.json("server add here --local")).toMatchObject({ local: true })
  })

  it("server list, show, update, rename, remove", async () => {
    expect(await ws.succeed("server list")).toContain("myserver")
    await ws.succeed('server update db1 --ssh port=2222 --notes "" --tag "" --role staging')
    expect(await ws.json("server show db1")).toMatchObject({
      sshConfig: { user: "me", port: 2222, jumpHost: "myserver" },
      notes: null,
      tags: [],
      role: "staging",
    })
    expect(await ws.succeed("server rename db1 db2")).toContain("renamed server db1 to db2")
    const removed = await ws.json("server remove db2 --yes")
    expect(removed.removed).toEqual([{ type: "ServerRemoved", name: "db2" }])
    expect(removed.position).toBe(ws.events())
  })

  it("server status and ssh on this machine", async () => {
    const looked = await ws.run("server status here --json")
    const [report] = JSON.parse(looked.stdout)
    expect(report).toMatchObject({ server: "here", status: reached })
    expect(looked.code).toBe(report.status === "online" ? 0 : 1)
    expect(report.metrics.uptime).toBeGreaterThan(0)
    const ended = await ws.run(["server", "ssh", "here", "--", "echo one; exit", "7"])
    expect(ended).toMatchObject({ code: 7, stdout: "one\n" })
  })

  it("service list, show, update, remove, status", async () => {
    expect((await ws.json("service list --server myserver")).map((row: any) => row.name)).toEqual(["api", "postgres"])
    expect(await ws.json("service list --server here")).toEqual([])
    expect(await ws.json("service show api")).toMatchObject({ server: "myserver", deployCommand: deploy, port: 3000 })
    await ws.succeed([
      "service",
      "add",
      "worker",
      "--server",
      "here",
      "--env",
      "A",
      "--env",
      "B",
      "--config",
      '{"n":1}',
    ])
    await ws.succeed('service update here/worker --port 3001 --env "" --config ""')
    expect(await ws.json("service show worker")).toMatchObject({ port: 3001, envVars: [], config: null })
    expect(await ws.json("service status worker")).toMatchObject({ status: "unknown", log: null })
    expect(await ws.succeed("service rename worker w2")).toContain("w2")
    await ws.succeed("service remove w2 --yes")
  })

  it("route add, list, remove", async () => {
    await ws.succeed("route add api.example.com --service api --ssl letsencrypt --rate-limit 100/1m")
    expect(await ws.json("route list")).toMatchObject([
      { domain: "api.example.com", path: "/", method: "*", service: "api", server: "myserver", ssl: "letsencrypt" },
    ])
    await ws.succeed("route update api.example.com --auth yes --proxy caddy")
    expect(await ws.json("route show api.example.com")).toMatchObject({
      authRequired: true,
      proxyType: "caddy",
      rateLimit: { requests: 100, window: "1m" },
    })
    await ws.succeed("route remove api.example.com --yes")
    expect(await ws.json("route list")).toEqual([])
  })

  it("dep add, list, remove; deps both ways and with the option on either side", async () => {
    await ws.succeed("dep add api --on postgres --type database --env DATABASE_URL")
    await ws.succeed("dep add api --external stripe --optional")
    expect(await ws.json("dep list")).toHaveLength(2)
    expect((await ws.json("deps api")).map((row: any) => row.dependsOn)).toEqual(["myserver/postgres", "stripe"])
    const reverse = await ws.json("deps --reverse postgres")
    expect(reverse).toMatchObject([{ service: "myserver/api", dependencyType: "database", required: true }])
    expect(await ws.json("deps postgres --reverse")).toEqual(reverse)
    await ws.succeed("dep update api --on postgres --required no")
    await ws.succeed("dep remove api --external stripe --yes")
    expect(await ws.json("deps api")).toMatchObject([{ required: false }])
  })

  it("secret add, list, rotated, remove", async () => {
    await ws.succeed("secret add DATABASE_URL --service api --manager vault --path kv/api --rotate 90d")
    expect(await ws.json("secret list")).toMatchObject([
      { name: "DATABASE_URL", service: "myserver/api", secretManager: "vault", rotationPolicy: { interval: "90d" } },
    ])
    expect((await ws.json("secret rotated DATABASE_URL")).lastRotated).toMatch(/^\d{4}-/)
    await ws.succeed('secret update DATABASE_URL --rotate ""')
    expect((await ws.json("secret list"))[0].rotationPolicy).toBeNull()
    await ws.succeed("secret remove DATABASE_URL --service api --yes")
  })

  it("events and what people write there", async () => {
    const written = await ws.json([
      "event",
      "add",
      "api returns 500s",
      "--type",
      "incident",
      "--severity",
      "error",
      "--service",
      "api",
    ])
    expect(written).toMatchObject({ title: "api returns 500s", source: "person", service: "api", server: "myserver" })
    expect(await ws.json("events --service api --severity error --since 2h")).toMatchObject([{ id: written.id }])
    expect(await ws.json("events --server myserver --limit 1")).toHaveLength(1)
    await ws.succeed(["event", "update", written.id, "--severity", "info", "--description", "it was the disk"])
    expect(await ws.succeed("events --ids")).toContain(written.id)
    await ws.succeed(["event", "remove", written.id, "--yes"])
    expect(await ws.json("events --severity error")).toEqual([])
  })

  it("status and history", async () => {
    const looked = await ws.run("status --json")
    const status = JSON.parse(looked.stdout)
    expect(status).toMatchObject({ asOf: { position: ws.events() } })
    expect(looked.code).toBe(status.ok ? 0 : 1)
    expect(status.servers.map((server: any) => server.name)).toEqual(["here", "myserver"])
    expect(await ws.json("history api")).toEqual([])
    expect(await ws.succeed("history api")).toContain("never deployed")
  })

  it("records who did it, by which door", async () => {
    await ws.succeed("server update here --notes x", { env: { CONTEXT_ACTOR: "ada" } })
    expect((await ws.json("events --limit 1"))[0]).toMatchObject({ actor: "ada" })
  })
})
