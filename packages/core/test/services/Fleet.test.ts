import { createServer, type Server, type Socket } from "node:net"
import { cpus, totalmem, uptime } from "node:os"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { ReadModels } from "../../src/ReadModels.js"
import { type HostKey, HostKeyPrompt } from "../../src/Remote.js"
import { Fleet } from "../../src/services/Fleet.js"
import { Registry } from "../../src/services/Registry.js"
import { describeSshd, freePort, makeKey, type Sshd, type SshdOptions, startSshd, until } from "../support/sshd.js"
import {
  addTrusted,
  appended,
  eventually,
  healthChanges,
  inSshWorld,
  inWorld,
  serverAt,
  someone,
  type World,
} from "../support/world.js"

const silents: Array<Server> = []
afterEach(() => silents.splice(0).forEach((server) => void server.close()))

const odds: Array<Sshd> = []
afterEach(() => Promise.all(odds.splice(0).map((sshd) => sshd.dispose())))

/** An sshd for one test. */
const startOdd = async (options: SshdOptions) => {
  const sshd = await startSshd(options)
  odds.push(sshd)
  return sshd
}

/** A TCP server that accepts and then says nothing, until it hangs up; `accepted` tells when it has for the first time. */
const startSilent = async () => {
  let heard = () => {}
  const accepted = new Promise<void>((done) => {
    heard = done
  })
  const sockets: Array<Socket> = []
  const server = createServer((socket) => {
    sockets.push(socket)
    heard()
    socket.on("error", () => {}).on("end", () => socket.end())
  })
  silents.push(server)
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  const hangUp = () => {
    for (const socket of sockets) socket.destroy()
  }
  return { port: (server.address() as { readonly port: number }).port, accepted, hangUp }
}

const at = (name: string, port: number) => ({
  name,
  ipAddresses: ["127.0.0.1"],
  sshConfig: { user: "ada", port, keyPath: null, jumpHost: null },
})

const add = (...servers: ReadonlyArray<Parameters<Registry["Type"]["servers"]["add"]>[0]>) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    for (const server of servers) yield* registry.servers.add(server)
  })

const status = (...names: ReadonlyArray<string>) => Effect.flatMap(Fleet, (fleet) => fleet.status(names))
const only = (name: string) => Effect.map(status(name), ([report]) => report!)
const row = (name: string) => Effect.flatMap(Registry, (registry) => registry.servers.get(name))

/** Lets an sshd put these lines of its own into what it prints: this machine may be busy or full while tests run. */
const saying = (lines: Readonly<Record<string, string>>) => {
  const edits = Object.entries({ ...calm, ...lines }).map(([key, value]) => `s/^${key}.*/${key}${value}/`)
  return { extra: [`ForceCommand sh -c "$SSH_ORIGINAL_COMMAND" | sed '${edits.join(";")}'`] }
}

const calm = { "load=": "0.1 0.1 0.1", "MemTotal:": "1000", "MemAvailable:": "500", "disk=": "1000 500" }

/** How many commands it was asked to run since the log was cleared. */
const sessions = (sshd: Sshd) => sshd.log().match(/Starting session: /g)?.length ?? 0

describeSshd("a server that can be reached", () => {
  let sshd: Sshd
  let plain: Sshd
  beforeAll(async () => {
    sshd = await startSshd(saying({}))
    plain = await startSshd({ clientKey: sshd.keyPath })
  })
  afterAll(() => Promise.all([sshd.dispose(), plain.dispose()]))

  it("tells of the machine what the machine tells of itself", () =>
    inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("web", plain)
        const began = Date.now()
        const report = yield* only("web")
        expect(report.server).toBe("web")
        expect(report.status).not.toBe("offline")
        expect(report.lastSeen).toBe(report.checkedAt)
        expect(Date.parse(report.checkedAt)).toBeGreaterThanOrEqual(began)
        expect(report.latency).toBeGreaterThan(0)
        expect(report.latency).toBeLessThanOrEqual(Date.now() - began)
        const { metrics } = report
        expect(metrics?.cpus).toBe(cpus().length)
        expect(metrics?.memory?.total).toBe(totalmem())
        expect(metrics?.memory?.available).toBeGreaterThan(0)
        expect(metrics?.memory?.available).toBeLessThan(totalmem())
        expect(Math.abs((metrics?.uptime ?? 0) - uptime())).toBeLessThan(10)
        expect(metrics?.load).toHaveLength(3)
        expect(metrics?.disk?.total).toBeGreaterThan(2 ** 20)
        expect(metrics?.disk?.available).toBeLessThanOrEqual(metrics?.disk?.total as number)
        expect(metrics?.os).toMatch(/^[a-z]+(-[\d.]+)?$/)
        expect(metrics?.kernel).toMatch(/^Linux \d/)
      }),
    ))

  it("has it recorded, in its row and by an event", () =>
    inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("web", plain)
        const { value: report, events } = yield* appended(only("web"))
        expect(events).toEqual(["ServerChecked"])
        const { checkedAt, metrics } = report
        const ram = `${Math.round((metrics?.memory?.total as number) / 2 ** 30)}GB`
        expect(yield* row("web")).toMatchObject({
          status: report.status,
          statusReason: report.reason,
          lastSeen: checkedAt,
          lastChecked: checkedAt,
          os: metrics?.os,
          resources: { cpu: cpus().length, ram, disk: expect.stringMatching(/^\d+GB$/) },
        })
      }),
    ))

  it("is asked in one round trip: one connection, one command", () =>
    inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("web", sshd)
        sshd.clearLog()
        yield* only("web")
        expect(sessions(sshd)).toBe(1)
        expect(sshd.connections()).toBe(1)
        yield* only("web")
        expect(sessions(sshd)).toBe(2)
        expect(sshd.connections()).toBe(1)
      }),
    ))

  it("is told in the timeline when its status changes, and only then", () =>
    inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("web", sshd)
        yield* only("web")
        const { lastSeen } = yield* only("web")
        expect(yield* healthChanges).toEqual(["server web is online"])
        yield* Effect.promise(() => sshd.stop())
        const { events } = yield* appended(Effect.all([only("web"), only("web")]))
        expect(events).toEqual(["ServerChecked", "ServerChecked"])
        expect(yield* healthChanges).toEqual(["server web is online", "server web is offline"])
        expect(yield* row("web")).toMatchObject({ status: "offline", lastSeen, os: expect.any(String) })
        yield* Effect.promise(() => sshd.restart())
        expect(yield* only("web")).toMatchObject({ status: "online" })
        expect(yield* healthChanges).toEqual(["server web is online", "server web is offline", "server web is online"])
      }),
    ))

  it("is told once, even when two look at the same time", () =>
    inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("web", sshd)
        yield* Effect.all([only("web"), only("web")], { concurrency: 2 })
        expect(yield* healthChanges).toEqual(["server web is online"])
      }),
    ))

  it("is degraded when its answer cannot be read", async () => {
    const odd = await startOdd({ extra: [`ForceCommand sh -c "$SSH_ORIGINAL_COMMAND" | grep -v context-probe`] })
    await inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("odd", odd)
        const report = yield* only("odd")
        expect(report).toMatchObject({ status: "degraded", metrics: null, lastSeen: report.checkedAt })
        expect(report.reason).toBe("it answered, but not with anything that can be read")
      }),
    )
  })

  it.each([
    [{ "disk=": "1000 40", "MemAvailable:": "10" }, "degraded", "disk 96 % full; memory 99 % full"],
    [{ "load=": "1 1 4096.5" }, "degraded", `load 4096.5 over 15 minutes on ${cpus().length} processors`],
    [{ "load=": "4096 4096 1" }, "online", null],
    [{ "disk=": "0 0", "MemTotal:": "x", "load=": "" }, "online", null],
  ])("with %j is %s: %s", async (lines, expected, reason) => {
    const odd = await startOdd(saying(lines))
    await inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("odd", odd)
        const report = yield* only("odd")
        expect([report.status, report.reason]).toEqual([expected, reason])
      }),
    )
  })

  it("but runs no commands is offline, with what it said", async () => {
    const closed = await startOdd({ extra: ["ForceCommand echo This account is closed."] })
    await inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("closed", closed)
        const report = yield* only("closed")
        expect(report).toMatchObject({ status: "offline", metrics: null })
        expect(report.reason).toContain("This account is closed.")
      }),
    )
  })
})

describeSshd("a server that cannot be reached is offline, and why is said in words", () => {
  let sshd: Sshd
  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(() => sshd.dispose())

  const offline = (server: ReturnType<typeof at>, reason: RegExp) =>
    inSshWorld(
      Effect.gen(function* () {
        yield* add(server)
        const { value: report, events } = yield* appended(someone(true).answering(only(server.name)))
        expect(report).toMatchObject({ status: "offline", latency: null, metrics: null, lastSeen: null })
        expect(report.reason).toMatch(reason)
        expect(events.filter((type) => type !== "HostKeyPinned")).toEqual(["ServerChecked"])
        expect(yield* row(server.name)).toMatchObject({
          status: "offline",
          statusReason: report.reason,
          lastChecked: report.checkedAt,
          lastSeen: null,
        })
      }),
      { readyTimeout: 400 },
    )

  it("because it refuses connections", async () => {
    const port = await freePort()
    await offline(at("web", port), new RegExp(`^web: nothing accepts connections at 127\\.0\\.0\\.1:${port}`))
  })

  it("because it accepts them and says nothing", async () => {
    const { port } = await startSilent()
    await offline(at("web", port), /did not finish the SSH handshake within 0\.4 s/)
  })

  it("because it does not let the key in", async () => {
    const keyPath = makeKey(`${sshd.keyPath}_other`, "ed25519")
    const server = at("web", sshd.port)
    await offline({ ...server, sshConfig: { ...server.sshConfig, keyPath } as never }, /does not let ada in/)
  })

  it("because the key file is not there", async () => {
    const server = at("web", sshd.port)
    const sshConfig = { ...server.sshConfig, keyPath: "~/.ssh/none" } as never
    await offline({ ...server, sshConfig }, /the key file ~\/\.ssh\/none cannot be read/)
  })

  it("because nobody has accepted its host key", () =>
    inSshWorld(
      Effect.gen(function* () {
        yield* add(serverAt("web", sshd))
        const { value: report, events } = yield* appended(only("web"))
        expect(report).toMatchObject({ status: "offline", reason: expect.stringContaining("--accept-host-key") })
        expect(events).toEqual(["ServerChecked"])
      }),
    ))

  it("because it has no address", () =>
    inSshWorld(
      Effect.gen(function* () {
        yield* add({ name: "web" })
        expect(yield* only("web")).toMatchObject({ status: "offline", reason: expect.stringContaining("--ip") })
      }),
    ))

  it("after 15 seconds in all, however long SSH itself would go on", async () => {
    const { port, accepted } = await startSilent()
    const story = Effect.gen(function* () {
      yield* add(at("web", port))
      const looking = yield* Effect.fork(only("web"))
      yield* Effect.promise(() => accepted)
      yield* TestClock.adjust("15 seconds")
      expect(yield* Fiber.join(looking)).toMatchObject({ status: "offline", reason: "no answer within 15 s" })
    })
    await inSshWorld(Effect.provide(story, TestContext.TestContext) as Effect.Effect<void, unknown, World>, {
      readyTimeout: 600_000,
    })
  })
})

describeSshd("many servers at once", () => {
  let sshds: ReadonlyArray<Sshd>
  beforeAll(async () => {
    const first = await startSshd(saying({}))
    const alike = { ...saying({}), clientKey: first.keyPath }
    sshds = [first, ...(await Promise.all([startSshd(alike), startSshd(alike)]))]
  })
  afterAll(() => Promise.all(sshds.map((sshd) => sshd.dispose())))

  it("are not held up by those that do not answer", async () => {
    const { hangUp, port } = await startSilent()
    const refusing = await freePort()
    await inSshWorld(
      Effect.gen(function* () {
        // By name, the silent ones come first.
        yield* add(...Array.from({ length: 40 }, (_, i) => at(`dead-${i}`, port)))
        yield* add(...Array.from({ length: 10 }, (_, i) => at(`gone-${i}`, refusing)))
        for (const [i, sshd] of sshds.entries()) yield* addTrusted(`live-${i}`, sshd)
        const looking = yield* Effect.fork(status())
        const counts = Effect.map((yield* ReadModels).servers.list(), (rows) => ({
          live: rows.filter((one) => one.status === "online").length,
          dead: rows.filter((one) => one.name.startsWith("dead") && one.status === "offline").length,
        }))
        const found = yield* eventually(counts, ({ live }) => live === 3)
        // Every silent one is still waited for.
        expect(found).toEqual({ live: 3, dead: 0 })

        hangUp()
        const reports = yield* Fiber.join(looking)
        expect(reports).toHaveLength(53)
        expect(reports.map((report) => report.server)).toEqual([...reports.map((report) => report.server)].sort())
        const online = reports.filter((report) => report.status === "online")
        expect(online.map((report) => report.server)).toEqual(["live-0", "live-1", "live-2"])
      }),
    )
  })

  it("are asked once each, and only those that are named", () =>
    inSshWorld(
      Effect.gen(function* () {
        for (const [i, sshd] of sshds.entries()) yield* addTrusted(`live-${i}`, sshd)
        for (const sshd of sshds) sshd.clearLog()
        const reports = yield* status("live-2", "live-0", "live-2")
        expect(reports.map((report) => report.server)).toEqual(["live-0", "live-2"])
        expect(sshds.map(sessions)).toEqual([1, 0, 1])
      }),
    ))

  it("behind a jump host that is gone have that as their reason, each by its name", async () => {
    const port = await freePort()
    const [, inner] = sshds as [Sshd, Sshd, Sshd]
    await inSshWorld(
      Effect.gen(function* () {
        yield* add(at("bastion", port), serverAt("a", inner, "bastion"), serverAt("b", inner, "bastion"))
        const reports = yield* someone(true).answering(status())
        expect(reports.map((report) => report.status)).toEqual(["offline", "offline", "offline"])
        const gone = `nothing accepts connections at 127.0.0.1:${port}`
        for (const { reason, server } of reports) expect(reason).toContain(`${server}: ${gone}`)
      }),
    )
  })

  it("one that nobody knows is refused before anything is dialled", () =>
    inSshWorld(
      Effect.gen(function* () {
        yield* add(at("web", 1))
        const { value, events } = yield* appended(Effect.flip(status("web", "wbe")))
        expect(value).toMatchObject({ _tag: "NotFound", suggestions: ["web"] })
        expect(events).toEqual([])
      }),
    ))

  it("wait for a person who thinks longer than a server may take", () => {
    const [one, two] = sshds as [Sshd, Sshd]
    let questions = 0
    const slowly = (_: string, key: HostKey) =>
      Effect.gen(function* () {
        const other = key.address === one.hostKey.address ? two : one
        // Until the other one waits for its question: refused, asked for its key, and asked again to have it accepted.
        if (questions++ === 0) yield* Effect.promise(() => until(() => other.connections() >= 3, other.log))
        yield* TestClock.adjust("1 minute")
        return true
      })
    const story = Effect.gen(function* () {
      yield* add(serverAt("one", one), serverAt("two", two))
      for (const sshd of [one, two]) sshd.clearLog()
      const reports = yield* Effect.provideService(status(), HostKeyPrompt, slowly)
      expect(reports.map((report) => report.status)).toEqual(["online", "online"])
      expect(questions).toBe(2)
    })
    return inSshWorld(Effect.provide(story, TestContext.TestContext) as Effect.Effect<void, unknown, World>)
  })

  it("are left alone when they are removed meanwhile", async () => {
    const { port, accepted } = await startSilent()
    await inSshWorld(
      Effect.gen(function* () {
        yield* add(at("web", port))
        const looking = yield* Effect.fork(only("web"))
        yield* Effect.promise(() => accepted)
        const { events } = yield* appended(
          Effect.zipRight((yield* Registry).servers.remove("web"), Fiber.join(looking)),
        )
        expect(events).toEqual(["ServerRemoved"])
      }),
      { readyTimeout: 500 },
    )
  })
})

describe("this machine", () => {
  it("is looked at without SSH", () =>
    inWorld(
      Effect.gen(function* () {
        yield* add({ name: "here", local: true })
        const report = yield* only("here")
        expect(report).toMatchObject({ metrics: { cpus: cpus().length }, lastSeen: report.checkedAt })
      }),
    ))
})
