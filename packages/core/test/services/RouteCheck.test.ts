/** Routes looked at from outside: a name server, certificates and web servers of the test's own, good ones and bad ones. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer as createHttp, type RequestListener, type Server } from "node:http"
import { createServer as createTls } from "node:https"
import { type AddressInfo, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createSecureContext, type SecureContext } from "node:tls"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Node from "../../src/Network/Node.js"
import { Registry } from "../../src/services/Registry.js"
import { RouteCheck, type RouteReport } from "../../src/services/RouteCheck.js"
import { makeAuthority } from "../support/certificates.js"
import { startDns } from "../support/dns.js"
import { requireTool } from "../support/tools.js"
import { inWorld } from "../support/world.js"

const here = ["127.0.0.1"]

const names = {
  "good.example.com": { a: here },
  "alias.example.com": { a: here, cname: "good.example.com" },
  "both.example.com": { a: ["127.0.0.1", "127.0.0.9"] },
  "away.example.com": { a: ["127.0.0.9"] },
  "beta.example.com": { a: ["127.0.0.3"] },
  "silent.example.com": { silent: true },
  "empty.example.com": {},
  "expired.example.com": { a: here },
  "soon.example.com": { a: here },
  "wrong.example.com": { a: here },
  "strange.example.com": { a: here },
  "circle.example.com": { a: here },
  "endless.example.com": { a: here },
  "leaves.example.com": { a: here },
  "hangs.example.com": { a: ["127.0.0.5"] },
  "down.example.com": { a: ["127.0.0.7"] },
  "context-route-check.wild.example.com": { a: here },
}

/** What the web server says for a name. */
const answers: RequestListener = (request, response) => {
  const to = (location: string) => response.writeHead(302, { location }).end()
  const name = request.headers.host ?? ""
  if (name.startsWith("circle")) return to(request.url === "/a" ? "/b" : "/a")
  if (name.startsWith("endless")) return to(`${request.url}x`)
  if (name.startsWith("leaves")) {
    const head = "HTTP/1.1 302 Found\r\nLocation: https://login.example.org/\u009b31m\r\nContent-Length: 0\r\n\r\n"
    return response.socket?.end(Buffer.from(head, "latin1"))
  }
  if (request.url === "/dead") return response.writeHead(502).end()
  if (request.url === "/private") return response.writeHead(401).end()
  if (request.url === "/moved") return to("/here?x=1")
  return response.writeHead(request.url === "/nothing" ? 404 : 200).end("x".repeat(100_000))
}

interface Added {
  readonly domain: string
  readonly path?: string
  readonly ssl?: "letsencrypt" | "self-signed"
  readonly authRequired?: boolean
}

requireTool("openssl", "openssl")("a check of the routes", () => {
  const open: Array<{ close: () => unknown }> = []
  const stuck = new Set<Socket>()
  let dns: Awaited<ReturnType<typeof startDns>>
  let network: Layer.Layer<import("../../src/Network.js").Network>
  let plainPort = 0

  const listen = async (server: Server | ReturnType<typeof createServer>, port: number, host: string) => {
    await new Promise<void>((done) => server.listen(port, host, done))
    open.push(server)
    return (server.address() as AddressInfo).port
  }

  beforeAll(async () => {
    const authority = makeAuthority()
    const leaves = new Map<string, SecureContext>(
      (["expired", "soon", "wrong"] as const).map((name) => {
        const [days, called] = { expired: [-1, "expired"], soon: [10, "soon"], wrong: [90, "other"] }[name] as [
          number,
          string,
        ]
        return [`${name}.example.com`, createSecureContext(authority.issue(`${called}.example.com`, days))] as const
      }),
    )
    leaves.set("strange.example.com", createSecureContext(makeAuthority().issue("strange.example.com", 90)))
    const wild = authority.issue("*.example.com", 90)
    leaves.set("context-route-check.wild.example.com", createSecureContext(authority.issue("*.wild.example.com", 90)))
    const server = createTls({ ...wild, SNICallback: (name, done) => done(null, leaves.get(name)) }, answers)
    const https = await listen(server as unknown as Server, 0, "127.0.0.1")
    // The same port on another address: it accepts, and says nothing.
    await listen(
      createServer((socket) => void stuck.add(socket.on("error", () => {}))),
      https,
      "127.0.0.5",
    )
    await listen(createTls(wild, answers) as unknown as Server, https, "127.0.0.9")
    await listen(createTls(wild, answers) as unknown as Server, https, "127.0.0.3")
    plainPort = await listen(createHttp(answers), 0, "127.0.0.1")
    dns = await startDns(names)
    network = Node.layerWith({ resolvers: [dns.address], ca: [authority.ca], ports: { http: plainPort, https } })
  })
  afterAll(async () => {
    for (const socket of stuck) socket.destroy()
    for (const server of open) server.close()
    await dns.stop()
  })

  const routes = (...added: ReadonlyArray<Added>) =>
    Effect.gen(function* () {
      const registry = yield* Registry
      yield* registry.servers.add({ name: "alpha", ipAddresses: ["127.0.0.1", "8.8.8.8"] })
      yield* registry.servers.add({ name: "beta", ipAddresses: ["127.0.0.3"] })
      yield* registry.services.add({ name: "api", server: "alpha", port: 3000 })
      for (const route of added) yield* registry.routes.add({ ...route, service: "api" })
    })

  const check = (...added: ReadonlyArray<Added>) =>
    inWorld(
      Effect.zipRight(
        routes(...added),
        Effect.flatMap(RouteCheck, (one) => one.check()).pipe(Effect.provide(Layer.provide(RouteCheck.layer, network))),
      ),
    )

  const told = (report: RouteReport | undefined) =>
    report?.findings.map(({ about, detail, verdict }) => `${about} ${verdict}: ${detail}`)

  it("has one row for each, and all is well with a route that is well", async () => {
    const [alias, good] = await check({ domain: "good.example.com" }, { domain: "alias.example.com", path: "/moved" })
    expect(good).toMatchObject({
      route: "good.example.com",
      service: "api",
      server: "alpha",
      verdict: "ok",
      addresses: here,
      status: 200,
    })
    expect(told(good)).toEqual([
      "dns ok: points at alpha: 127.0.0.1",
      expect.stringMatching(/^tls ok: the certificate has (89|90) days left, by Test Authority$/),
      "http ok: answers 200",
    ])
    expect(alias).toMatchObject({ verdict: "ok", cname: "good.example.com" })
    expect(alias?.hops.map(({ status, url }) => [url, status])).toEqual([
      ["https://alias.example.com/moved", 302],
      ["https://alias.example.com/here?x=1", 200],
    ])
  })

  it.each([
    ["away.example.com", "trouble", "dns trouble: points at 127.0.0.9, and alpha is 127.0.0.1, 8.8.8.8"],
    ["both.example.com", "warning", "dns warning: points at alpha, and at 127.0.0.9, which is not its address"],
    ["beta.example.com", "warning", "dns warning: points at beta (127.0.0.3), while its service is on alpha"],
    ["nowhere.example.com", "trouble", "dns trouble: DNS knows no nowhere.example.com"],
    ["empty.example.com", "trouble", "dns trouble: DNS has no address for empty.example.com"],
    ["expired.example.com", "trouble", expect.stringMatching(/^tls trouble: the certificate expired on 20\d\d-/)],
    ["soon.example.com", "warning", expect.stringMatching(/^tls warning: the certificate has (9|10) days left/)],
    [
      "wrong.example.com",
      "trouble",
      "tls trouble: the certificate is not for wrong.example.com, but for other.example.com",
    ],
    [
      "strange.example.com",
      "trouble",
      "tls trouble: the certificate's chain is not trusted: unable to verify leaf signature",
    ],
    ["circle.example.com", "trouble", expect.stringMatching(/^http trouble: redirects in a circle: /)],
    ["endless.example.com", "trouble", expect.stringMatching(/^http trouble: redirects in a circle: /)],
    [
      "down.example.com",
      "trouble",
      expect.stringMatching(/^http trouble: nothing listens on port \d+ of 127\.0\.0\.7$/),
    ],
    ["*.wild.example.com", "ok", "http ok: answers 200"],
  ])("sees what is wrong with %s", async (domain, verdict, finding) => {
    const [report] = await check({ domain })
    expect(told(report)).toContainEqual(finding)
    expect(report?.verdict).toBe(verdict)
  })

  it("does not follow a redirect to others, and shows it without escape codes", async () => {
    const [report] = await check({ domain: "leaves.example.com" })
    expect(report?.verdict).toBe("warning")
    expect(told(report)).toContainEqual(
      expect.stringMatching(/^http warning: 302: redirects elsewhere, to https:\/\/login\.example\.org\//),
    )
    expect(JSON.stringify(report)).not.toContain("\u009b")
  })

  it.each([
    ["/dead", "trouble", "http trouble: answers 502: the proxy is there, its service is not"],
    ["/private", "warning", "http warning: answers 401: it wants to know who asks"],
    ["/nothing", "warning", "http warning: answers 404"],
  ])("says what the answer at %s means", async (path, verdict, finding) => {
    const [report] = await check({ domain: "good.example.com", path })
    expect(told(report)).toContain(finding)
    expect(report?.verdict).toBe(verdict)
  })

  it("takes the registry's word for a certificate that nobody vouches for, and for a login", async () => {
    const [one] = await check({
      domain: "strange.example.com",
      ssl: "self-signed",
      path: "/private",
      authRequired: true,
    })
    expect(one?.verdict).toBe("ok")
  })

  it("waits for what hangs, and for nothing else, and asks about a name once", async () => {
    const before = dns.asked.length
    const began = Date.now()
    const reports = await check(
      { domain: "silent.example.com" },
      { domain: "hangs.example.com" },
      { domain: "good.example.com", path: "/1" },
      { domain: "good.example.com", path: "/2" },
      { domain: "good.example.com", path: "/3" },
    )
    expect(Date.now() - began).toBeLessThan(19_000)
    expect(reports.map(({ route, verdict }) => [route, verdict])).toEqual([
      ["good.example.com/1", "ok"],
      ["good.example.com/2", "ok"],
      ["good.example.com/3", "ok"],
      ["hangs.example.com", "trouble"],
      ["silent.example.com", "trouble"],
    ])
    expect(told(reports[3])).toContain("tls trouble: 127.0.0.5 did not shake hands for hangs.example.com within 5 s")
    expect(told(reports[4])).toEqual([
      expect.stringMatching(/^dns trouble: DNS gave no answer about silent\.example\.com/),
    ])
    expect(dns.asked.slice(before).filter((name) => name === "good.example.com")).toHaveLength(3)
  })

  it("says what the proxy is configured to do with it, where it is asked to look, and asks each server once", async () => {
    const tools = mkdtempSync(join(tmpdir(), "context-proxy-"))
    const { PATH } = process.env
    const config =
      "server { listen 80; server_name good.example.com; location / { proxy_pass http://127.0.0.1:3000; } }"
    const file = `# configuration file /etc/nginx/sites-enabled/good:\n${config}`
    writeFileSync(join(tools, "nginx"), `#!/bin/sh\necho asked >>"${tools}/asked"\ncat <<'END'\n${file}\nEND\n`)
    chmodSync(join(tools, "nginx"), 0o755)
    process.env.PATH = `${tools}:${PATH}`
    const story = Effect.gen(function* () {
      const registry = yield* Registry
      yield* registry.servers.add({ name: "alpha", local: true, ipAddresses: here })
      yield* registry.services.add({ name: "api", server: "alpha", port: 3000 })
      yield* registry.routes.add({ domain: "good.example.com", service: "api", proxyType: "nginx" })
      yield* registry.routes.add({ domain: "alias.example.com", service: "api", proxyType: "nginx" })
      const routes = yield* RouteCheck
      return { asked: yield* routes.check(undefined, { proxies: true }), unasked: yield* routes.check() }
    })
    const found = await inWorld(Effect.provide(story, Layer.provide(RouteCheck.layer, network)))
    process.env.PATH = PATH
    const asked = readFileSync(join(tools, "asked"), "utf8")
    rmSync(tools, { recursive: true })
    expect(asked).toBe("asked\n")
    const [alias, good] = found.asked
    expect(good?.proxy).toEqual({
      server: "alpha",
      kind: "nginx",
      file: "/etc/nginx/sites-enabled/good",
      upstreams: ["127.0.0.1:3000"],
    })
    expect(told(good)?.at(-1)).toBe("proxy ok: nginx sends it to 127.0.0.1:3000 (/etc/nginx/sites-enabled/good)")
    expect(told(alias)?.at(-1)).toBe("proxy warning: no site of nginx on alpha answers for it")
    expect(found.unasked.map(({ proxy }) => proxy)).toEqual([null, null])
  })

  it("looks at the route of an id", async () => {
    const story = Effect.gen(function* () {
      yield* routes({ domain: "good.example.com" }, { domain: "down.example.com" })
      const [, { domain, id } = { domain: "", id: "" }] = yield* (yield* Registry).routes.list()
      const check = (yield* RouteCheck).check(id)
      expect(yield* check).toMatchObject([{ domain }])
    }).pipe(Effect.provide(Layer.provide(RouteCheck.layer, network)))
    await inWorld(story)
  })

  it("suggests the nearest domain for one that has no route", async () => {
    const story = Effect.zipRight(
      routes({ domain: "good.example.com" }),
      Effect.flatMap(RouteCheck, (one) => one.check("goood.example.com")).pipe(
        Effect.provide(Layer.provide(RouteCheck.layer, network)),
      ),
    )
    await expect(inWorld(story)).rejects.toThrow('no route named "goood.example.com" — did you mean good.example.com?')
  })
})
