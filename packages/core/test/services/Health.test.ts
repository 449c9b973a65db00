import { createServer, type RequestListener, type Server } from "node:http"
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from "node:net"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { ReadModels } from "../../src/ReadModels.js"
import { Health } from "../../src/services/Health.js"
import { Registry } from "../../src/services/Registry.js"
import type { AddService } from "../../src/services/registry/services.js"
import { describeSshd, freePort, type Sshd, startSshd, until } from "../support/sshd.js"
import { addTrusted, appended, eventually, healthChanges, inSshWorld, inWorld, type World } from "../support/world.js"

const open: Array<Server | TcpServer> = []
afterEach(() => {
  for (const server of open.splice(0)) {
    if ("closeAllConnections" in server) server.closeAllConnections()
    server.close()
  }
})

const listen = async (server: Server | TcpServer): Promise<number> => {
  open.push(server)
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  return (server.address() as AddressInfo).port
}

/** An HTTP service on the loopback; `seen` are the paths it was asked for. */
const startService = async (answer: RequestListener = (_, response) => response.end()) => {
  const seen: Array<string | undefined> = []
  const port = await listen(
    createServer((request, response) => {
      seen.push(request.url)
      answer(request, response)
    }),
  )
  return { port, seen }
}

const withStatus =
  (status: number, headers = {}): RequestListener =>
  (_, response) =>
    response.writeHead(status, headers).end()

const check = (...names: ReadonlyArray<string>) => Effect.flatMap(Health, (health) => health.check(names))
const row = Effect.map(
  Effect.flatMap(ReadModels, (models) => models.services.list()),
  ([service]) => service,
)

/** The report on the only service of a world, and the events that the check left. */
const checked = Effect.map(appended(check()), ({ value: [report], events }) => ({ report: report!, events }))

/** Checks a service `api` on a server. */
const checkOn = (server: string, service: Partial<AddService>) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    yield* registry.services.add({ name: "api", server, healthEndpoint: "/health", ...service })
    return yield* checked
  })

describeSshd("a service asked through SSH", () => {
  let sshd: Sshd
  let closed: Sshd
  beforeAll(async () => {
    sshd = await startSshd()
    closed = await startSshd({ clientKey: sshd.keyPath, allowTcpForwarding: false })
  })
  afterAll(() => Promise.all([sshd.dispose(), closed.dispose()]))

  const checkService = (service: Partial<AddService>, on = sshd) =>
    inSshWorld(Effect.zipRight(addTrusted("web", on), checkOn("web", service)))

  it("is healthy when it answers on the loopback there", async () => {
    const { port, seen } = await startService()
    sshd.clearLog()
    const { report, events } = await checkService({ port, healthEndpoint: "/health?deep=1" })
    expect(report).toMatchObject({ service: "api", server: "web", status: "healthy" })
    expect(report.detail).toMatch(/^200 in \d+ ms$/)
    expect(report.latency).toBeLessThan(10_000)
    expect(events).toEqual(["HealthChecked"])
    expect(seen).toEqual(["/health?deep=1"])
    await sshd.logged(new RegExp(`direct-tcpip|127.0.0.1 port ${port}`))
  })

  it("is unhealthy when nothing listens, and that is said", async () => {
    const port = await freePort()
    const { report } = await checkService({ port })
    expect(report).toMatchObject({ status: "unhealthy", latency: null })
    expect(report.detail).toContain(`web: nothing listens on port ${port}`)
  })

  it("is unhealthy when what listens is not HTTP", async () => {
    const port = await listen(createTcpServer((socket) => socket.on("error", () => {}).end("SSH-2.0-\u001b[2Jx\r\n")))
    const { report } = await checkService({ port })
    expect(report.status).toBe("unhealthy")
    expect(report.detail).toContain("did not answer in HTTP")
    expect(report.detail).not.toContain("\u001b")
  })

  it("says so when the server forwards no connections", async () => {
    const { port, seen } = await startService()
    const { report } = await checkService({ port }, closed)
    expect(report.status).not.toBe("healthy")
    expect(report.detail).toContain("web does not forward connections (AllowTcpForwarding in its sshd_config)")
    expect(seen).toEqual([])
  })

  it("says so when its server cannot be reached", async () => {
    const port = await freePort()
    const { report } = await checkService({ port: 80 }, { ...sshd, port })
    expect(report.status).not.toBe("healthy")
    expect(report.detail).toContain(`nothing accepts connections at 127.0.0.1:${port}`)
  })

  it.each([204, 299])("is healthy with %i", async (status) => {
    const { port } = await startService(withStatus(status))
    expect((await checkService({ port })).report.status).toBe("healthy")
  })

  it.each([301, 404, 500, 503])("is unhealthy with %i", async (status) => {
    const { port, seen } = await startService(withStatus(status, { location: "/elsewhere" }))
    const { report } = await checkService({ port })
    expect(report).toMatchObject({ status: "unhealthy", detail: expect.stringMatching(`^${status} in \\d+ ms$`) })
    expect(seen).toEqual(["/health"])
  })

  it("is degraded when its answer takes over two seconds", async () => {
    const { port } = await startService((_, response) => void setTimeout(() => response.end(), 2_100))
    const { report } = await checkService({ port })
    expect(report).toMatchObject({ status: "degraded", detail: expect.stringMatching(/^200 in 2\d\d\d ms: slow$/) })
    expect(report.latency).toBeGreaterThan(2_000)
  })

  it("has no say in how long the others take", async () => {
    const hung = await startService(() => {})
    const well = await startService()
    await inSshWorld(
      Effect.gen(function* () {
        const registry = yield* Registry
        yield* addTrusted("web", sshd)
        // By their order, those that hang come first.
        for (let i = 0; i < 50; i++) {
          const port = i < 40 ? hung.port : well.port
          yield* registry.services.add({ name: `api-${i + 10}`, server: "web", port, healthEndpoint: "/" })
        }
        const checking = yield* Effect.fork(check())
        const counts = Effect.map((yield* ReadModels).services.list(), (rows) => ({
          healthy: rows.filter((one) => one.healthStatus === "healthy").length,
          unhealthy: rows.filter((one) => one.healthStatus === "unhealthy").length,
        }))
        const found = yield* eventually(counts, ({ healthy }) => healthy === 10)
        // Every one that hangs is still waited for.
        expect(found).toEqual({ healthy: 10, unhealthy: 0 })
        yield* Fiber.interrupt(checking)
      }),
    )
  })
})

const addHere = Effect.flatMap(Registry, ({ servers }) => servers.add({ name: "here", local: true }))
const onThisMachine = (service: Partial<AddService>) => inWorld(Effect.zipRight(addHere, checkOn("here", service)))

describe("a health endpoint that is a whole URL", () => {
  it("is fetched from here, whatever server the service is on", async () => {
    const { port, seen } = await startService()
    const { report, events } = await inWorld(
      Effect.gen(function* () {
        // Nobody could reach this server: it has no address.
        yield* (yield* Registry).servers.add({ name: "web" })
        return yield* checkOn("web", { healthEndpoint: `http://127.0.0.1:${port}/up?x=1` })
      }),
    )
    expect(report).toMatchObject({ status: "healthy", server: "web", detail: expect.stringMatching(/^200 in \d+ ms$/) })
    expect(events).toEqual(["HealthChecked"])
    expect(seen).toEqual(["/up?x=1"])
  })

  it("is not followed to where it redirects", async () => {
    const { port, seen } = await startService(withStatus(302, { location: "/login" }))
    const { report } = await onThisMachine({ healthEndpoint: `http://127.0.0.1:${port}/` })
    expect(report).toMatchObject({ status: "unhealthy", detail: expect.stringMatching(/^302 in/) })
    expect(seen).toEqual(["/"])
  })

  it("says in words that nothing listens", async () => {
    const port = await freePort()
    for (const host of ["127.0.0.1", "localhost"]) {
      const { report } = await onThisMachine({ healthEndpoint: `http://${host}:${port}/` })
      expect(report).toMatchObject({ status: "unhealthy", latency: null })
      expect(report.detail).toBe(`nothing listens at ${host}:${port} (is the service running, and is the URL right?)`)
    }
  })

  it("says in words that a name does not exist", async () => {
    const { report } = await onThisMachine({ healthEndpoint: "http://nowhere.invalid/" })
    expect(report.detail).toMatch(/^the name nowhere\.invalid cannot be resolved/)
  })

  it.each(["http://[", "http://127.0.0.1:99999/"])("says in words that %s is none", async (healthEndpoint) => {
    const { report } = await onThisMachine({ healthEndpoint })
    expect(report).toMatchObject({ status: "unhealthy", detail: `${healthEndpoint} is not a URL` })
  })

  it("never repeats what came in place of HTTP with its escape codes", async () => {
    const port = await listen(
      createTcpServer((socket) => socket.on("error", () => {}).end("\u001b[2Jnot http\r\n\r\n")),
    )
    const { report } = await onThisMachine({ healthEndpoint: `http://127.0.0.1:${port}/` })
    expect(report.status).toBe("unhealthy")
    expect(report.detail).toMatch(/^[\x20-\x7e]+$/)
  })

  it("is judged by its head, even if the rest never comes whole", async () => {
    const { port } = await startService((_, response) => {
      response.writeHead(200, { "content-length": 100 })
      response.write("begun", () => response.socket?.resetAndDestroy())
    })
    for (let i = 0; i < 20; i++) {
      const { report } = await onThisMachine({ healthEndpoint: `http://127.0.0.1:${port}/` })
      // Whether the head or the reset is seen first is chance; it is a report in both cases.
      expect(["healthy", "unhealthy"]).toContain(report.status)
    }
  })
})

describe("a service that says too little about itself", () => {
  it("is unknown without an endpoint", async () => {
    const { report } = await onThisMachine({ port: 80, healthEndpoint: null })
    expect(report).toMatchObject({ status: "unknown", detail: "it has no health endpoint", latency: null })
  })

  it("is unknown with a path and no port", async () => {
    const { report } = await onThisMachine({})
    expect(report).toMatchObject({ status: "unknown", detail: "it has a health path but no port" })
  })
})

describe("what a check leaves", () => {
  /** An `api` on this machine whose health can be set. */
  const withService = async (
    story: (state: { status: number; asked: number }) => Effect.Effect<void, unknown, World>,
  ) => {
    const state = { status: 200, asked: 0 }
    const { port } = await startService((_, response) => {
      state.asked++
      response.writeHead(state.status).end()
    })
    await inWorld(
      Effect.gen(function* () {
        const registry = yield* Registry
        yield* addHere
        yield* registry.services.add({ name: "api", server: "here", port, healthEndpoint: "/" })
        yield* story(state)
      }),
    )
  }

  it("is an event and the service's row", () =>
    withService((state) =>
      Effect.gen(function* () {
        const { report } = yield* checked
        expect(yield* row).toMatchObject({
          healthStatus: "healthy",
          healthDetail: report.detail,
          lastHealthCheck: report.checkedAt,
          status: "running",
        })
        state.status = 500
        const bad = yield* checked
        expect(bad.events).toEqual(["HealthChecked"])
        expect(yield* row).toMatchObject({ healthStatus: "unhealthy", healthDetail: bad.report.detail })
      }),
    ))

  it("is an entry in the timeline when its health changed, and only then", () =>
    withService((state) =>
      Effect.gen(function* () {
        for (const status of [200, 204, 500, 503, 200]) {
          state.status = status
          expect((yield* checked).events).toEqual(["HealthChecked"])
        }
        expect(yield* healthChanges).toEqual(["api is healthy", "api is unhealthy", "api is healthy"])
      }),
    ))

  it("is told once, even when two check at the same time", () =>
    withService(() =>
      Effect.gen(function* () {
        yield* Effect.all([check(), check()], { concurrency: 2 })
        expect(yield* healthChanges).toEqual(["api is healthy"])
      }),
    ))

  it("is nothing when it was only a probe", () =>
    withService(() =>
      Effect.gen(function* () {
        const models = yield* ReadModels
        const [[server], [service]] = [yield* models.servers.list(), yield* models.services.list()]
        const { value: report, events } = yield* appended((yield* Health).probe({ server: server!, service: service! }))
        expect(report.status).toBe("healthy")
        expect(events).toEqual([])
      }),
    ))

  it("is one report for a service that was named twice, and none for one that is unknown", () =>
    withService((state) =>
      Effect.gen(function* () {
        expect(yield* check("api", "here/api")).toHaveLength(1)
        expect(state.asked).toBe(1)
        const { value, events } = yield* appended(Effect.flip(check("api", "apu")))
        expect(value).toMatchObject({ _tag: "NotFound", suggestions: ["api"] })
        expect(events).toEqual([])
        expect(state.asked).toBe(1)
      }),
    ))

  it("is nothing when the service was removed meanwhile", async () => {
    let release = () => {}
    let asked = false
    const { port } = await startService((_, response) => {
      asked = true
      release = () => void response.end()
    })
    await inWorld(
      Effect.gen(function* () {
        const registry = yield* Registry
        yield* addHere
        yield* registry.services.add({ name: "api", server: "here", port, healthEndpoint: "/" })
        const checking = yield* Effect.fork(check())
        yield* Effect.promise(() =>
          until(
            () => asked,
            () => "nobody asked",
          ),
        )
        const { events } = yield* appended(
          Effect.gen(function* () {
            yield* registry.services.remove("api")
            release()
            yield* Fiber.join(checking)
          }),
        )
        expect(events).toEqual(["ServiceRemoved"])
      }),
    )
  })
})
