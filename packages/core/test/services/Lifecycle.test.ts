/** Services are restarted, stopped and started on a real sshd whose `systemctl` and `docker` are stand-ins. */
import { existsSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest"
import type { ServiceInput } from "../../src/domain/Service.js"
import { ReadModels } from "../../src/ReadModels.js"
import { Deployer } from "../../src/services/Deployer.js"
import { Lifecycle } from "../../src/services/Lifecycle.js"
import { makePrograms, type Programs } from "../support/programs.js"
import { type Proxy, startProxy } from "../support/proxy.js"
import { describeSshd, type Sshd, startSshd, until } from "../support/sshd.js"
import { eventually, type World } from "../support/world.js"
import { onMachine } from "./deployer/setting.js"

describeSshd("the life of a service", () => {
  let sshd: Sshd
  let proxy: Proxy
  let programs: Programs
  let health: Server
  let answers: () => number = () => 200
  const port = () => (health.address() as AddressInfo).port
  beforeAll(async () => {
    programs = makePrograms()
    sshd = await startSshd({ env: { PATH: programs.path } })
    proxy = await startProxy(sshd.port)
    health = createServer((_, response) => response.writeHead(answers()).end())
    await new Promise<void>((done) => health.listen(0, "127.0.0.1", done))
  })
  afterAll(async () => {
    health.close()
    await proxy.close()
    await sshd.dispose()
    programs.dispose()
  })

  let name = ""
  let count = 0
  beforeEach(() => {
    name = `svc${count++}`
    answers = () => 200
  })

  const story = <A, E>(
    service: Partial<ServiceInput>,
    tell: (lifecycle: Lifecycle["Type"]) => Effect.Effect<A, E, World>,
  ) =>
    onMachine(sshd, { deployCommand: "true", through: proxy.port, ...service, name } as never, () =>
      Effect.flatMap(Lifecycle, tell),
    )
  const statusNow = Effect.gen(function* () {
    const [row] = yield* (yield* ReadModels).services.list({ where: { name } })
    return row?.status
  })
  /** What the timeline tells of restarts, the oldest first. */
  const told = Effect.gen(function* () {
    const rows = yield* (yield* ReadModels).infraEvents.list({ where: { type: "restart" }, order: { by: "position" } })
    return rows.map(({ actor, description, severity, title }) => ({ actor, description, severity, title }))
  })

  it("is restarted by its own command, in its project, and what that printed is kept without secrets", () =>
    story(
      {
        projectPath: programs.file("bin"),
        restartCommand: 'echo "$CONTEXT_SERVICE in $PWD"; printf "\\033[31mPASS%s\\033[0m\\n" WORD=hunter2hunter2 >&2',
      },
      (lifecycle) =>
        Effect.gen(function* () {
          const seen: Array<string> = []
          const report = yield* lifecycle.restart(name, {
            onOutput: ({ data }) => Effect.sync(() => void seen.push(Buffer.from(data).toString())),
          })
          expect(report).toMatchObject({ action: "restart", outcome: "done", exitCode: 0, verified: false })
          expect(report.logs).toContain(`${name} in ${programs.file("bin")}\n`)
          expect(report.logs).not.toContain("hunter2")
          expect(report.logs).not.toContain("\u001b")
          expect(seen.join("")).toContain("hunter2")
          expect(yield* statusNow).toBe("running")
          expect(yield* told).toEqual([
            { actor: "ada", severity: "info", title: `${name} restarted`, description: null },
          ])
        }),
    ))

  it("by systemd it is stopped, started and restarted, and its row says which", async () => {
    programs.write(name, [])
    await story({ runtime: "systemd" }, (lifecycle) =>
      Effect.gen(function* () {
        expect(yield* lifecycle.stop(name)).toMatchObject({ outcome: "done", verified: false })
        expect(yield* statusNow).toBe("stopped")
        yield* lifecycle.start(name)
        expect(yield* statusNow).toBe("running")
        yield* lifecycle.restart(name)
        expect((yield* told).map(({ title }) => title)).toEqual([
          `${name} stopped`,
          `${name} started`,
          `${name} restarted`,
        ])
      }),
    )
    expect(programs.asked()).toContain(
      `systemctl stop -- ${name}\nsystemctl start -- ${name}\nsystemctl restart -- ${name}\n`,
    )
  })

  it("by docker under the name it has there; and where nobody registered what runs it, its host is asked", async () => {
    programs.write(`${name}-front`, [])
    await story({ runtime: "docker", config: { container: `${name}-front` } }, (lifecycle) => lifecycle.restart(name))
    expect(programs.asked()).toContain(`docker restart -- ${name}-front\n`)
    name = `${name}b`
    programs.write(name, [])
    await story({}, (lifecycle) => lifecycle.stop(name))
    expect(programs.asked()).toContain(`systemctl stop -- ${name}\n`)
    name = `${name}c`
    await expect(story({}, (lifecycle) => lifecycle.start(name))).rejects.toThrow(
      `nobody on host knows how to start ${name}`,
    )
  })

  it("one that cannot be restarted is failed, and one that cannot be stopped is what it was", () =>
    story({ runtime: "systemd" }, (lifecycle) =>
      Effect.gen(function* () {
        expect(yield* lifecycle.stop(name)).toMatchObject({ outcome: "failed", exitCode: 5 })
        expect(yield* statusNow).toBe("unknown")
        const report = yield* lifecycle.restart(name)
        const reason = `systemctl exited with 5: Failed to restart ${name}.service: Unit ${name}.service not found.`
        expect(report).toMatchObject({ outcome: "failed", reason })
        expect(yield* statusNow).toBe("failed")
        expect((yield* told)[1]).toMatchObject({
          severity: "error",
          title: `restart of ${name} failed`,
          description: reason,
        })
      }),
    ))

  it("it is done when it has been well twice in a row", () => {
    const found: Array<number> = []
    answers = () => {
      found.push(found.length < 2 ? 503 : 200)
      return found.at(-1) as number
    }
    return story({ restartCommand: "true", healthEndpoint: "/", port: port() }, (lifecycle) =>
      Effect.gen(function* () {
        const steps: Array<string> = []
        const onStep = (step: string) => Effect.sync(() => void steps.push(step))
        expect(yield* lifecycle.restart(name, { onStep })).toMatchObject({ outcome: "done", verified: true })
        expect(found).toEqual([503, 503, 200, 200])
        expect(steps).toEqual(["command", "health"])
        expect((yield* told)[0]).toMatchObject({ title: `${name} restarted, and healthy` })
      }),
    )
  })

  it("and it is a failure when it does not become well", () => {
    answers = () => 500
    return story({ restartCommand: "true", healthEndpoint: "/", port: port() }, (lifecycle) =>
      Effect.gen(function* () {
        const report = yield* lifecycle.restart(name, { healthTimeout: 300 })
        expect(report).toMatchObject({ outcome: "failed", exitCode: 0, verified: false })
        expect(report.reason).toMatch(/^it did not become healthy: 500 in/)
        expect(yield* statusNow).toBe("failed")
      }),
    )
  })

  it("a stopped service is not expected to be healthy", async () => {
    programs.write(name, [])
    answers = () => 500
    await story({ runtime: "systemd", healthEndpoint: "/", port: port() }, (lifecycle) =>
      Effect.map(lifecycle.stop(name), (report) => expect(report).toMatchObject({ outcome: "done" })),
    )
  })

  it("it is left alone while it is deployed, unless it is forced", () =>
    story(
      { restartCommand: "true", deployCommand: `echo on; while [ ! -e ${programs.file("go")} ]; do sleep 0.05; done` },
      (lifecycle) =>
        Effect.gen(function* () {
          const deployer = yield* Deployer
          const runs = yield* Deferred.make<void>()
          const onOutput = () => Effect.asVoid(Deferred.succeed(runs, undefined))
          const deploying = yield* Effect.fork(deployer.deploy(name, { onOutput }))
          yield* Deferred.await(runs)
          const refused = yield* Effect.flip(lifecycle.restart(name))
          expect(refused.message).toMatch(
            new RegExp(`host/${name} is locked by ada on test .* deployment .* is running`),
          )
          expect(refused).toMatchObject({ operation: "restart", next: expect.stringContaining("--force") })
          expect(yield* told).toEqual([])
          expect(yield* lifecycle.restart(name, { force: true })).toMatchObject({ outcome: "done" })
          writeFileSync(programs.file("go"), "")
          expect(yield* Fiber.join(deploying)).toMatchObject({ status: "success" })
          expect(yield* lifecycle.restart(name)).toMatchObject({ outcome: "done" })
        }),
    ))

  it("a lock that is held by hand is respected, too", () =>
    story({ restartCommand: "true" }, (lifecycle) =>
      Effect.gen(function* () {
        const deployer = yield* Deployer
        yield* deployer.lock(name, { reason: "migrating" })
        const refused = yield* Effect.flip(lifecycle.stop(name))
        expect(refused.message).toContain("(migrating): it is held by hand")
        expect(refused).toMatchObject({ next: expect.stringContaining(`deploy unlock host/${name}`) })
      }),
    ))

  it("a command that does not end is stopped at its deadline", () =>
    story({ restartCommand: "echo waiting; sleep 60" }, (lifecycle) =>
      Effect.gen(function* () {
        const report = yield* lifecycle.restart(name, { timeout: 300 })
        expect(report).toMatchObject({ outcome: "failed", reason: "the restart command did not end within 0.3 s" })
        expect(report.logs).toBe("waiting\n")
      }),
    ))

  it("when the link breaks meanwhile, nobody knows, and the log says so", () =>
    story({ restartCommand: `echo on; sleep 60` }, (lifecycle) =>
      Effect.gen(function* () {
        const report = yield* lifecycle.restart(name, { onOutput: () => Effect.sync(proxy.cut) })
        expect(report).toMatchObject({
          outcome: "unknown",
          exitCode: null,
          reason: expect.stringMatching(/^the link broke/),
        })
        expect(yield* statusNow).toBe("unknown")
        expect((yield* told)[0]).toMatchObject({
          severity: "warning",
          title: `how the restart of ${name} ended is not known`,
        })
      }),
    ))

  it("whoever leaves before it ended leaves a word in the log", () =>
    story({ restartCommand: `echo on > ${programs.file("begun")}; sleep 60` }, (lifecycle) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(lifecycle.restart(name))
        yield* Effect.promise(() =>
          until(
            () => existsSync(programs.file("begun")),
            () => "it was not begun",
          ),
        )
        yield* Fiber.interrupt(fiber)
        const [row] = yield* eventually(told, (rows) => rows.length > 0)
        expect(row).toMatchObject({ description: "whoever asked for it went away before it ended" })
      }),
    ))

  it("a host that cannot be reached is an error, and nothing is in the log", async () => {
    proxy.setDown(true)
    await story({ restartCommand: "true" }, (lifecycle) =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(lifecycle.restart(name))).toMatchObject({ _tag: "RemoteError" })
        expect(yield* told).toEqual([])
      }),
    ).finally(() => proxy.setDown(false))
  })
})
