/** Scans of real hosts over SSH, whose tools are small programs that print what the real ones print. */
import { existsSync, mkdirSync, rmSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest"
import { ReadModels } from "../../src/ReadModels.js"
import { Registry } from "../../src/services/Registry.js"
import { Scanner, type ServerScan } from "../../src/services/Scanner.js"
import { describeSshd, type Sshd, startSshd } from "../support/sshd.js"
import { addTrusted, appended, inSshWorld, type World } from "../support/world.js"
import { fill, makeFakeHost } from "./scanner/fakeHost.js"
import { container, nginxSite, ownUnit, pm2Entry, publishing, socketLine, unitBlock } from "./scanner/outputs.js"

const canary = "canary-Zq8-not-to-be-kept"
const token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"

describeSshd("a scan of a host", () => {
  const host = makeFakeHost()
  const { docker, empty, pm2, tool, tools } = host
  let sshd: Sshd

  const inHost = <A, E>(story: (scanner: Scanner["Type"]) => Effect.Effect<A, E, World>) =>
    inSshWorld(Effect.zipRight(addTrusted("box", sshd), Effect.flatMap(Scanner, story)))

  /** A port that accepts, and says nothing. */
  const silent = createServer((socket) => void socket.on("error", () => {}))
  let mute = 0
  const refused = { user: "nobody", keyPath: null, jumpHost: null }

  beforeAll(async () => {
    mute = await new Promise((done) =>
      silent.listen(0, "127.0.0.1", () => done((silent.address() as AddressInfo).port)),
    )
    sshd = await startSshd({ env: host.env })
  })
  afterAll(async () => {
    silent.close()
    await sshd.dispose()
    host.dispose()
  })
  beforeEach(empty)

  /** A shop as people run them: an API that systemd keeps behind nginx, a database in a container, a worker at pm2. */
  const shop = () => {
    tool(
      "systemctl",
      [
        unitBlock("ssh", { MainPID: 4_100_001 }),
        ownUnit("api", 4_100_002),
        unitBlock("nginx", { MainPID: 4_100_003 }),
      ].join("\n\n"),
    )
    docker([
      container("shop-db-1", {
        image: "postgres:16",
        ports: publishing(5432, 5432),
        project: "shop",
        service: "db",
        directory: "/srv/shop",
      }),
      container("shop-web-1", {
        ports: publishing(8080, 80),
        project: "shop",
        service: "web",
        needs: "db:service_healthy:true",
      }),
    ])
    pm2([pm2Entry("worker", 0, 4_100_005, 4000, { API_KEY: token, DATABASE_PASSWORD: canary })])
    tool(
      "ss",
      [
        socketLine("0.0.0.0:22", "sshd", 4_100_001, "ssh.service"),
        socketLine("127.0.0.1:3000", "node", 4_100_002, "api.service"),
        socketLine("0.0.0.0:80", "nginx", 4_100_003, "nginx.service"),
        socketLine("0.0.0.0:443", "nginx", 4_100_003, "nginx.service"),
        socketLine("[::]:5432", "docker-proxy", 4_100_004, "docker.service"),
        socketLine("*:4000", "node", 4_100_005),
      ].join("\n"),
    )
    tool(
      "nginx",
      `# configuration file /etc/nginx/nginx.conf:\nhttp { include sites-enabled/*; }\n# configuration file /etc/nginx/sites-enabled/api:\n${nginxSite("api.example.com", 3000)}`,
    )
    tool("crontab", `SECRET=${canary}\n0 3 * * * /srv/shop/backup.sh --key ${token} # ${canary}\n`)
  }

  it("finds each service once, with its evidence, and registers nothing", () =>
    inHost((scanner) =>
      Effect.gen(function* () {
        shop()
        const { value: report, events } = yield* appended(scanner.scan("box"))
        expect(events).toEqual([])
        expect(report.sources.filter(({ status }) => status !== "ok")).toEqual([])
        const news = Object.fromEntries(report.findings.map((finding) => [finding.id, finding]))
        expect(Object.keys(news).sort()).toEqual([
          "dependency web → db",
          "route api.example.com",
          "route www.api.example.com",
          "service api",
          "service backup",
          "service db",
          "service nginx",
          "service web",
          "service worker",
        ])
        expect(news["service api"]).toMatchObject({
          change: "new",
          confidence: 0.88,
          evidence: [
            { source: "systemd", detail: "unit api.service: /srv/api/server.js" },
            { source: "sockets", detail: "node listens on 127.0.0.1:3000" },
            { source: "nginx", detail: "nginx sends api.example.com to port 3000" },
          ],
          proposal: {
            fields: {
              type: "app",
              runtime: "systemd",
              port: 3000,
              projectPath: "/srv/api",
              config: { unit: "api.service" },
            },
          },
        })
        expect(news["service db"]?.proposal).toMatchObject({
          fields: { type: "database", runtime: "docker", port: 5432 },
        })
        expect(news["route api.example.com"]).toMatchObject({
          proposal: { route: { proxyType: "nginx", ssl: "letsencrypt" }, to: { _tag: "New", name: "api" } },
        })
        const text = JSON.stringify(report)
        for (const hidden of [canary, token, "canary-in-a-header"]) expect(text).not.toContain(hidden)
      }),
    ))

  it("of several servers, one that is dead costs its own deadline only, and is reported", () =>
    inHost((scanner) =>
      Effect.gen(function* () {
        shop()
        const registry = yield* Registry
        yield* registry.servers.add({ name: "absent", ipAddresses: ["127.0.0.1"], sshConfig: { ...refused, port: 1 } })
        yield* registry.servers.add({
          name: "silent",
          ipAddresses: ["127.0.0.1"],
          sshConfig: { ...refused, port: mute },
        })
        const over: Array<string> = []
        const onScan = ({ server }: ServerScan) => Effect.sync(() => void over.push(server))
        const scans = yield* scanner.scanAll([], { timeout: 7_000, onScan })
        expect(scans.map(({ error, report, server }) => [server, error?.reason, report?.findings.length])).toEqual([
          ["absent", "unreachable", undefined],
          ["box", undefined, 9],
          ["silent", "timeout", undefined],
        ])
        expect(over.at(-1)).toBe("silent")
        expect(scans[2]?.error?.message).toBe("silent: it did not end within 7 s")
        expect((yield* scanner.scanAll(["box", "box"])).map(({ server }) => server)).toEqual(["box"])
        expect(yield* Effect.flip(scanner.scanAll(["bux"]))).toMatchObject({ _tag: "NotFound", suggestions: ["box"] })
      }),
    ))

  it("looks at the reverse proxies alone where that is asked", () =>
    inHost((scanner) =>
      Effect.gen(function* () {
        shop()
        tool("systemctl", "", `touch "${tools}/asked"`)
        const { sites, status } = yield* scanner.sites("box", 15_000)
        expect(status).toEqual({ nginx: "ok", caddy: "ok" })
        expect(sites).toMatchObject([
          { proxy: "nginx", file: "/etc/nginx/sites-enabled/api", names: ["api.example.com", "www.api.example.com"] },
        ])
        expect(existsSync(`${tools}/asked`)).toBe(false)
      }),
    ))

  it("has nothing new to say once its findings are applied", () =>
    inHost((scanner) =>
      Effect.gen(function* () {
        shop()
        const { findings } = yield* scanner.scan("box")
        const first = yield* appended(scanner.apply("box", findings))
        expect(first.value).toEqual({ applied: expect.arrayContaining(findings.map(({ id }) => id)), skipped: [] })
        expect(first.events).toHaveLength(findings.length)
        const registry = yield* Registry
        expect((yield* registry.services.get("api")).config).toEqual({ unit: "api.service" })
        expect(yield* registry.routes.get({ domain: "api.example.com" })).toMatchObject({
          service: "api",
          server: "box",
        })
        expect(yield* scanner.scan("box")).toMatchObject({ findings: [], unchanged: findings.length })
        expect((yield* appended(scanner.apply("box", findings))).events).toEqual([])
      }),
    ))

  it("applies only what was chosen, and says what that leaves out", () =>
    inHost((scanner) =>
      Effect.gen(function* () {
        shop()
        const { findings } = yield* scanner.scan("box")
        const chosen = findings.filter(({ id }) => ["service web", "dependency web → db"].includes(id))
        expect(yield* scanner.apply("box", chosen)).toEqual({
          applied: ["service web"],
          skipped: [{ id: "dependency web → db", reason: "service db is not registered: choose it, too" }],
        })
      }),
    ))

  it("shows what has changed field by field, and what is gone", () =>
    inHost((scanner) =>
      Effect.gen(function* () {
        shop()
        yield* scanner.apply("box", (yield* scanner.scan("box")).findings)
        tool("systemctl", [ownUnit("api", 4_100_002), unitBlock("nginx", { MainPID: 4_100_003 })].join("\n\n"))
        tool(
          "ss",
          [
            socketLine("127.0.0.1:3100", "node", 4_100_002, "api.service"),
            socketLine("0.0.0.0:443", "nginx", 4_100_003, "nginx.service"),
          ].join("\n"),
        )
        tool("nginx", `http { ${nginxSite("shop.example.com", 3100)} }`)
        docker([])
        const { findings } = yield* scanner.scan("box")
        const told = findings.map(({ change, fields, id }) => [
          change,
          id,
          ...fields.map(({ field, from, to }) => [field, from, to]),
        ])
        expect(told).toEqual([
          ["changed", "service api", ["port", 3000, 3100]],
          ["gone", "service db"],
          ["gone", "service web"],
          [
            "new",
            "route shop.example.com",
            ["service", null, "api"],
            ["proxyType", null, "nginx"],
            ["ssl", null, "letsencrypt"],
          ],
          [
            "new",
            "route www.shop.example.com",
            ["service", null, "api"],
            ["proxyType", null, "nginx"],
            ["ssl", null, "letsencrypt"],
          ],
          ["gone", "route api.example.com"],
          ["gone", "route www.api.example.com"],
        ])
        expect(findings.find(({ id }) => id === "service db")?.evidence).toEqual([
          { source: "docker", detail: "docker has no container shop-db-1 that is to run" },
          { source: "sockets", detail: "nothing listens on port 5432" },
        ])
        yield* scanner.apply("box", findings)
        expect((yield* scanner.scan("box")).findings).toEqual([])
        const models = yield* ReadModels
        expect((yield* models.services.list()).map(({ name }) => name).sort()).toEqual([
          "api",
          "backup",
          "nginx",
          "worker",
        ])
      }),
    ))

  it("does not call gone what a tool that hangs would have shown, and waits for that one alone", () =>
    inHost((scanner) =>
      Effect.gen(function* () {
        shop()
        yield* scanner.apply("box", (yield* scanner.scan("box")).findings)
        tool("docker", "", "sleep 60 & exec sleep 60")
        tool("ss", socketLine("127.0.0.1:3000", "node", 4_100_002, "api.service"))
        const report = yield* scanner.scan("box")
        expect(report.sources.find(({ source }) => source === "docker")).toEqual({
          source: "docker",
          status: "late",
          found: 0,
        })
        expect(report.took).toBeGreaterThan(4_500)
        expect(report.took).toBeLessThan(30_000)
        expect(report.findings.filter(({ change }) => change === "gone")).toEqual([])
      }),
    ))

  it("says of a host without any of the tools that there is nothing", () =>
    inHost((scanner) =>
      Effect.gen(function* () {
        rmSync(tools, { recursive: true })
        mkdirSync(tools)
        for (const name of ["systemctl", "docker", "podman", "nginx", "caddy", "crontab", "ss", "netstat", "lsof"])
          tool(name, "", "exit 1")
        const { findings, sources } = yield* scanner.scan("box")
        expect(findings.filter(({ evidence }) => evidence.some(({ source }) => source !== "sockets"))).toEqual([])
        expect(sources.find(({ source }) => source === "docker")?.status).toBe("failed")
        expect(sources.find(({ source }) => source === "pm2")?.status).toBe("absent")
      }),
    ))

  it("keeps what it cannot vouch for on one line, without escape codes", () =>
    inHost((scanner) =>
      Effect.gen(function* () {
        docker([
          container("evil", { image: "\u001b[2Jpwned\u0007\nsecond\u202eline", directory: "/srv/\u001b]0;x\u0007" }),
        ])
        const { findings } = yield* scanner.scan("box")
        expect(findings.map(({ id }) => id)).toEqual(["service evil"])
        expect(JSON.stringify(findings)).not.toMatch(/\\u00|\\n|\u202e/)
      }),
    ))

  it("takes one connection and one round trip for a full host, and is quick about it", () =>
    inHost((scanner) =>
      Effect.gen(function* () {
        fill(host, canary)
        sshd.clearLog()
        const report = yield* scanner.scan("box")
        const roundTrips = sshd.log().match(/: ctype session/g)?.length ?? 0
        console.log(
          `scan of 200 units, 50 containers, 30 pm2 processes, 100 sites: ${report.took} ms, ${report.findings.length} findings, ${roundTrips} round trip(s)`,
        )
        expect(sshd.connections()).toBe(1)
        expect(roundTrips).toBe(1)
        expect(report.took).toBeLessThan(process.env.CI === "true" ? 10_000 : 4_000)
        const count = (kind: string) => report.findings.filter((one) => one.kind === kind).length
        expect({ services: count("service"), routes: count("route"), dependencies: count("dependency") }).toEqual({
          services: 60 + 50 + 30 + 1,
          routes: 200,
          dependencies: 49,
        })
        expect(JSON.stringify(report)).not.toContain(canary)
      }),
    ))
})
