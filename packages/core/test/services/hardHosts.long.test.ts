/** All that one does with servers, on those that are hard: behind others, silent, tiny, or not who they were. */
import { appendFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterAll, beforeAll, expect, it } from "vitest"
import { Commands } from "../../src/Commands.js"
import { entity, HostKeyPinned } from "../../src/domain/Server.js"
import { Fleet } from "../../src/services/Fleet.js"
import { Lifecycle } from "../../src/services/Lifecycle.js"
import { Logs } from "../../src/services/Logs.js"
import { Registry } from "../../src/services/Registry.js"
import { RunCommand } from "../../src/services/RunCommand.js"
import { Scanner } from "../../src/services/Scanner.js"
import { describeBusybox, hanging } from "../support/oddLogins.js"
import { startProxy } from "../support/proxy.js"
import { describeSshd, type Sshd, startSshd } from "../support/sshd.js"
import { addTrusted, eventually, inSshWorld, serverAt, type World } from "../support/world.js"
import { lines, linesText, listener, onMachine, tracks } from "./deployer/setting.js"

/** A reader of logs that keeps what it is given. */
const reader = () => {
  const seen = { text: "", news: [] as Array<string> }
  return {
    seen,
    onText: (_: string, text: string) =>
      Effect.sync(() => {
        seen.text += text
      }),
    onNews: (service: string, news: string, detail = "") =>
      Effect.sync(() => void seen.news.push(`${service} ${news}: ${detail}`)),
  }
}

/** A service on a server that logs to a file and is restarted by a command. */
const addService = (server: string, home: string) => {
  writeFileSync(join(home, "api.log"), "one\ntwo\n")
  return Effect.flatMap(Registry, (registry) =>
    registry.services.add({
      name: "api",
      server,
      logPath: "~/api.log",
      restartCommand: "echo restarted by $0 >>$HOME/api.log; echo done",
    }),
  )
}

/** Everything at once on one server; the service's log ends with what its restart has written. */
const everything = (server: string) =>
  Effect.gen(function* () {
    const [report] = yield* (yield* Fleet).status([server])
    expect(report).toMatchObject({
      server,
      metrics: { kernel: expect.stringMatching(/^Linux/), load: expect.any(Array) },
    })
    const [ran] = yield* (yield* RunCommand).run({ names: [server] }, ["printf", "%s", "it's $HOME"])
    expect(ran).toMatchObject({ exitCode: 0, stdout: "it's $HOME", error: null })
    const scan = yield* (yield* Scanner).scan(server)
    expect(scan.sources.find(({ source }) => source === "sockets")?.status).toBe("ok")
    const { seen, ...to } = reader()
    const following = yield* Effect.fork((yield* Logs).read([`${server}/api`], { follow: true, lines: 1 }, to))
    yield* eventually(
      Effect.sync(() => seen.text),
      (text) => text === "two\n",
    )
    yield* (yield* Lifecycle).restart(`${server}/api`)
    yield* eventually(
      Effect.sync(() => seen.text),
      (text) => text.startsWith("two\nrestarted"),
    )
    yield* Fiber.interrupt(following)
    return scan
  })

describeSshd("a host behind two others", () => {
  let outer: Sshd
  let middle: Sshd
  let inner: Sshd
  beforeAll(async () => {
    outer = await startSshd()
    middle = await startSshd({ clientKey: outer.keyPath })
    inner = await startSshd({ clientKey: outer.keyPath })
  })
  afterAll(() => Promise.all([inner, middle, outer].map((sshd) => sshd.dispose())))

  it("is reached through them for everything, over one connection to each", () =>
    inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("outer", outer)
        yield* addBehind("middle", middle, "outer")
        yield* addBehind("inner", inner, "middle")
        yield* addService("inner", inner.home)
        yield* everything("inner")
        expect([outer, middle, inner].map((sshd) => sshd.connections())).toEqual([1, 1, 1])
      }),
    ))
})

const addBehind = (name: string, sshd: Sshd, jump: string) =>
  Effect.gen(function* () {
    const { id } = yield* (yield* Registry).servers.add(serverAt(name, sshd, jump))
    yield* (yield* Commands).record(entity.aggregate, id, [HostKeyPinned({ server: name, ...sshd.hostKey })])
  })

describeBusybox("a host that has only busybox", (startHost, bin) => {
  let sshd: Sshd
  beforeAll(async () => {
    sshd = await startHost()
  })
  afterAll(() => sshd.dispose())

  it("can do everything", async () => {
    const web = createServer().listen(0, "127.0.0.1")
    await new Promise((done) => web.once("listening", done))
    await inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("tiny", sshd)
        yield* addService("tiny", sshd.home)
        const [shell] = yield* (yield* RunCommand).run({ names: ["tiny"] }, [
          "sh",
          "-c",
          "readlink /proc/$$/exe; echo $PATH",
        ])
        expect(shell?.stdout).toMatch(new RegExp(`busybox\n${bin()}\n$`))
        const { findings, sources } = yield* everything("tiny")
        expect(sources.find(({ source }) => source === "sockets")?.found).toBeGreaterThan(0)
        const { port } = web.address() as AddressInfo
        const seen = JSON.stringify([
          findings,
          yield* (yield* RunCommand).run({ names: ["tiny"] }, ["netstat", "-ltn"]),
        ])
        expect(seen).toContain(String(port))
      }),
    )
    web.close()
  })

  it("runs a deployment to its end, timed step by step, while its connection is cut", async () => {
    const proxy = await startProxy(sshd.port)
    const traces = tracks()
    const seen = listener()
    const deployCommand = lines(200, "0.01", traces.directory)
    await onMachine(sshd, { deployCommand, deploySettings: { pre: "sleep 0.2" }, through: proxy.port }, (deployer) =>
      Effect.gen(function* () {
        const cutting = yield* Effect.fork(
          Effect.forEach([0, 30, 90, 150], (line) =>
            Effect.zipRight(
              eventually(Effect.sync(seen.text), (text) => text.includes(`line ${line}\n`)),
              Effect.sync(() => proxy.cut()),
            ),
          ),
        )
        const row = yield* deployer.deploy("api", { onOutput: seen.onOutput })
        yield* Fiber.join(cutting)
        expect(row).toMatchObject({ status: "success", steps: [{ step: "pre" }, { step: "command" }] })
        expect(row.steps[0]?.duration).toBeGreaterThan(0.15)
        expect(seen.text()).toBe(linesText(200))
        expect(traces.read("ran")).toBe("x\n")
      }),
    )
    await proxy.close()
    rmSync(traces.directory, { recursive: true })
  }, 120_000)
})

describeSshd("a host that lets people in and then does nothing", () => {
  let hung: Sshd
  let well: Sshd
  beforeAll(async () => {
    hung = await startSshd({ extra: hanging })
    well = await startSshd({ clientKey: hung.keyPath })
  })
  afterAll(() => Promise.all([hung.dispose(), well.dispose()]))

  const deadline = 4_000
  const story = <A, E>(tell: Effect.Effect<A, E, World>) =>
    inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("hung", hung)
        yield* addTrusted("well", well)
        yield* addService("hung", hung.home)
        yield* addService("well", well.home)
        return yield* tell
      }),
      { beginTimeout: deadline },
    )
  const why = "let the login in, but did not begin the command within 4 s"

  it("is offline in the status of all, and says why", () =>
    story(
      Effect.gen(function* () {
        const reports = yield* (yield* Fleet).status()
        expect(reports).toMatchObject([
          { server: "hung", status: "offline", reason: expect.stringContaining(why) },
          { server: "well", metrics: { kernel: expect.any(String) } },
        ])
      }),
    ))

  it("costs a command its own deadline, and the others nothing", () =>
    story(
      Effect.gen(function* () {
        const order: Array<string> = []
        const onReport = ({ server }: { readonly server: string }) => Effect.sync(() => void order.push(server))
        const reports = yield* (yield* RunCommand).run({ all: true }, ["true"], { onReport })
        expect(order).toEqual(["well", "hung"])
        expect(reports[0]?.error).toEqual({ reason: "timeout", message: expect.stringContaining(why) })
        expect(reports[1]).toMatchObject({ exitCode: 0, error: null })
        const [short] = yield* (yield* RunCommand).run({ names: ["hung"] }, ["true"], { timeout: 300 })
        expect(short?.error?.message).toContain("within 0.3 s")
      }),
    ))

  it("holds up no scan of another", () =>
    story(
      Effect.gen(function* () {
        const scanner = yield* Scanner
        const slow = yield* Effect.fork(Effect.flip(scanner.scan("hung")))
        const report = yield* scanner.scan("well")
        expect(report.server).toBe("well")
        expect(yield* Fiber.join(slow)).toMatchObject({ reason: "timeout", message: expect.stringContaining(why) })
      }),
    ))

  it("holds up no log of another: that is read to its end, and the failure comes then", () =>
    story(
      Effect.gen(function* () {
        const { seen, ...to } = reader()
        const error = yield* Effect.flip((yield* Logs).read(["hung/api", "well/api"], {}, to))
        expect(error.message).toContain(why)
        expect(seen.text).toContain("one\ntwo\n")
        expect(seen.news).toEqual([expect.stringMatching(/^hung\/api failed: .*did not begin/)])
      }),
    ))

  it("is tried again by whoever follows", () =>
    story(
      Effect.gen(function* () {
        const { seen, ...to } = reader()
        const error = yield* Effect.flip((yield* Logs).read(["hung/api"], { follow: true, patience: 1_000 }, to))
        expect(error).toMatchObject({ reason: "timeout" })
        expect(hung.log().match(/Starting session: /g)?.length).toBeGreaterThan(1)
      }),
    ))
})

describeSshd("a host whose key changes between two commands", () => {
  let sshd: Sshd
  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(() => sshd.dispose())

  const isRefused = { reason: "host-key-changed", message: expect.stringMatching(/has changed.*Nothing was sent/s) }

  it("is refused by each of them, and by whoever follows when the link is up again", () =>
    inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("box", sshd)
        yield* addService("box", sshd.home)
        const { seen, ...to } = reader()
        const following = yield* Effect.fork(Effect.flip((yield* Logs).read(["box/api"], { follow: true }, to)))
        yield* eventually(
          Effect.sync(() => seen.text),
          (text) => text === "one\ntwo\n",
        )
        yield* Effect.promise(() => sshd.restart({ newHostKeys: true }))
        appendFileSync(join(sshd.home, "api.log"), "not to be seen\n")
        expect(yield* Fiber.join(following)).toMatchObject(isRefused)
        expect(seen.text).toBe("one\ntwo\n")
        const [ran] = yield* (yield* RunCommand).run({ names: ["box"] }, ["true"])
        expect(ran).toMatchObject({ exitCode: null, error: isRefused })
        expect(yield* Effect.flip((yield* Scanner).scan("box"))).toMatchObject(isRefused)
        expect(yield* Effect.flip((yield* Lifecycle).restart("box/api"))).toMatchObject(isRefused)
        const [report] = yield* (yield* Fleet).status(["box"])
        expect(report).toMatchObject({ status: "offline", reason: isRefused.message })
        expect(sshd.log()).not.toContain("Starting session")
      }),
    ))
})

describeSshd("the connection to a server", () => {
  let sshd: Sshd
  let other: Sshd
  beforeAll(async () => {
    sshd = await startSshd()
    other = await startSshd({ clientKey: sshd.keyPath })
  })
  afterAll(() => Promise.all([sshd.dispose(), other.dispose()]))

  const story = <A, E>(tell: Effect.Effect<A, E, World>) =>
    inSshWorld(
      Effect.gen(function* () {
        sshd.clearLog()
        yield* addTrusted("box", sshd)
        yield* addService("box", sshd.home)
        return yield* tell
      }),
    )

  it("is one for all that is done at a time and after, another user's and another port's their own", () =>
    story(
      Effect.gen(function* () {
        yield* addTrusted("other-port", other)
        const registry = yield* Registry
        const input = serverAt("other-user", sshd)
        const { id } = yield* registry.servers.add({
          ...input,
          sshConfig: { ...input.sshConfig, user: "nobody-here" } as never,
        })
        const pin = HostKeyPinned({ server: "other-user", ...sshd.hostKey })
        yield* (yield* Commands).record(entity.aggregate, id, [pin])
        const fleet = yield* Fleet
        yield* Effect.all([everything("box"), fleet.status(["box"]), fleet.status(["box"])], { concurrency: 3 })
        yield* fleet.status(["box"])
        expect([sshd.connections(), other.connections()]).toEqual([1, 0])
        const reports = yield* (yield* RunCommand).run({ all: true }, ["true"])
        expect(reports.map(({ error, exitCode, server }) => [server, exitCode, error?.reason])).toEqual([
          ["box", 0, undefined],
          ["other-port", 0, undefined],
          ["other-user", null, "authentication"],
        ])
        expect([sshd.connections(), other.connections()]).toEqual([2, 1])
      }),
    ))

  it("is opened again when it breaks, by whoever comes next", () =>
    story(
      Effect.gen(function* () {
        const commands = yield* RunCommand
        const long = yield* Effect.fork(commands.run({ names: ["box"] }, ["sleep", "600"]))
        yield* Effect.promise(() => sshd.logged(/Starting session/))
        sshd.dropConnections()
        const [broken] = yield* Fiber.join(long)
        expect(broken?.error?.reason).toBe("connection-lost")
        const [again] = yield* commands.run({ names: ["box"] }, ["true"])
        expect(again?.exitCode).toBe(0)
        expect(sshd.connections()).toBe(2)
      }),
    ))

  it("is not taken from under a command that runs, whatever fails beside it", () =>
    story(
      Effect.gen(function* () {
        const commands = yield* RunCommand
        yield* commands.run({ names: ["box"] }, ["mkfifo", join(sshd.home, "pipe")])
        const waiting = yield* Effect.fork(commands.run({ names: ["box"] }, ["cat", join(sshd.home, "pipe")]))
        const [late, failed] = yield* Effect.all(
          [
            commands.run({ names: ["box"] }, ["sleep", "600"], { timeout: 500 }),
            commands.run({ names: ["box"] }, ["sh", "-c", "kill -KILL $$"]),
          ],
          { concurrency: 2 },
        )
        expect(late[0]?.error?.reason).toBe("timeout")
        expect(failed[0]?.exitCode).toBe(137)
        yield* everything("box")
        yield* commands.run({ names: ["box"] }, ["sh", "-c", 'echo through >"$0"', join(sshd.home, "pipe")])
        expect((yield* Fiber.join(waiting))[0]).toMatchObject({ exitCode: 0, stdout: "through\n" })
        expect(sshd.connections()).toBe(1)
      }),
    ))
})
