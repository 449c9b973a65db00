import { existsSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { ReadModels } from "../../src/ReadModels.js"
import { Deployer, type DeployOptions } from "../../src/services/Deployer.js"
import { checkVersion } from "../../src/services/deployer/version.js"
import { Registry } from "../../src/services/Registry.js"
import { makeRepository } from "../support/repository.js"
import { inWorld, type World } from "../support/world.js"

const servers: Array<Server> = []
afterEach(() => servers.splice(0).forEach((server) => void server.close()))

/** An HTTP service whose health can be set. */
const startService = async () => {
  const state = { status: 200, asked: 0 }
  const server = createServer((_, response) => {
    state.asked++
    response.writeHead(state.status).end()
  })
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  return { state, port: (server.address() as AddressInfo).port }
}

/** A service `api` on this machine, deployed from a real clone by the given command. */
const withService = <A, E>(
  setup: { readonly command: string; readonly port?: number },
  story: (parts: {
    deployer: Deployer["Type"]
    repository: ReturnType<typeof makeRepository>
    v1: string
  }) => Effect.Effect<A, E, World>,
) =>
  inWorld(
    Effect.gen(function* () {
      const repository = makeRepository()
      const v1 = repository.commit({ VERSION: "1\n" })
      repository.clone()
      const registry = yield* Registry
      yield* registry.servers.add({ name: "here", local: true })
      yield* registry.services.add({
        name: "api",
        server: "here",
        projectPath: repository.project,
        deployCommand: setup.command,
        ...(setup.port === undefined ? {} : { port: setup.port, healthEndpoint: "/health" }),
      })
      return yield* story({ deployer: yield* Deployer, repository, v1 })
    }),
  )

const planCommand = "git pull --quiet && cat VERSION"

describe("the plan's own kind of command: git pull, then build", () => {
  it("deploys the newest, one by its commit, rolls back, and returns to the branch", () =>
    withService({ command: planCommand }, ({ deployer, repository, v1 }) =>
      Effect.gen(function* () {
        const v2 = repository.commit({ VERSION: "2\n" })
        const first = yield* deployer.deploy("api")
        expect(first).toMatchObject({
          status: "success",
          version: v2,
          previousVersion: v1,
          logs: "2\n",
          verified: false,
        })

        const old = yield* deployer.deploy("api", { version: v1.slice(0, 10) })
        expect(old).toMatchObject({ status: "success", version: v1, previousVersion: v2, logs: "1\n" })
        expect(repository.branch()).toBe("")

        const back = yield* deployer.rollback("api")
        expect(back).toMatchObject({ status: "success", version: v2, deployMethod: "rollback" })

        const v3 = repository.commit({ VERSION: "3\n" })
        const newest = yield* deployer.deploy("api")
        expect(newest).toMatchObject({ status: "success", version: v3 })
        expect(repository.branch()).toBe("main")

        const history = yield* deployer.history("api")
        expect(history.map((row) => [row.deployMethod, row.status, row.version])).toEqual([
          ["manual", "success", v3],
          ["rollback", "success", v2],
          ["manual", "rolled_back", v1],
          ["manual", "success", v2],
        ])
      }),
    ))

  it("says before anything runs that a version does not exist", () =>
    withService({ command: `${planCommand} && touch ran` }, ({ deployer, repository }) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(deployer.deploy("api", { version: "v9.9.9" }))
        expect(error.message).toContain("there is no version v9.9.9")
        expect(existsSync(join(repository.project, "ran"))).toBe(false)
        expect(yield* deployer.history("api")).toEqual([])
      }),
    ))
})

describe("a version in the command", () => {
  it("is filled in for {{version}}, quoted", () =>
    withService(
      { command: "echo deploying {{version}}; git fetch -q; git checkout -q {{version}}" },
      ({ deployer, v1 }) =>
        Effect.gen(function* () {
          const row = yield* deployer.deploy("api", { version: v1 })
          expect(row).toMatchObject({ status: "success", version: v1, logs: `deploying ${v1}\n` })
        }),
    ))

  it("travels in the environment", () =>
    withService(
      { command: 'echo "$CONTEXT_SERVICE $CONTEXT_VERSION after $CONTEXT_PREVIOUS_VERSION"' },
      ({ deployer, v1 }) =>
        Effect.map(deployer.deploy("api", { version: v1 }), (row) => expect(row.logs).toBe(`api ${v1} after ${v1}\n`)),
    ))

  it("must be named where {{version}} asks for one", () =>
    withService({ command: "echo {{version}}" }, ({ deployer }) =>
      Effect.map(Effect.flip(deployer.deploy("api")), (error) => expect(error.message).toContain("needs a version")),
    ))

  it("that the command does not bring is a failure", () =>
    withService({ command: "echo I ignore versions" }, ({ deployer, repository, v1 }) =>
      Effect.gen(function* () {
        const v2 = repository.commit({ VERSION: "2\n" })
        const row = yield* deployer.deploy("api", { version: v2 })
        expect(row).toMatchObject({ status: "failed", version: v1 })
        expect(row.reason).toContain(`left version ${v1}, not ${v2}`)
      }),
    ))

  it("is never a command: nothing hostile passes", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.constantFrom("$(touch pwned)", "`id`", ";rm -rf /", "\n", "'", "--", " "),
        (text, evil) => {
          expect(checkVersion(text + evil)._tag === "Left" || /^[\w./+-]*$/.test(text + evil)).toBe(true)
        },
      ),
      { numRuns: 10_000 },
    )
    for (const evil of [
      "$(touch pwned)",
      "; rm -rf /",
      "a\nb",
      "-x",
      "--upload-pack=evil",
      "a b",
      "",
      "../x",
      "a..b",
    ]) {
      expect(checkVersion(evil)._tag, JSON.stringify(evil)).toBe("Left")
    }
  })
})

describe("the health gate", () => {
  it("lets a healthy service through, verified", async () => {
    const { port, state } = await startService()
    await withService({ command: "true", port }, ({ deployer }) =>
      Effect.gen(function* () {
        expect(yield* deployer.deploy("api")).toMatchObject({ status: "success", verified: true })
        expect(state.asked).toBeGreaterThanOrEqual(2)
        expect(yield* (yield* ReadModels).services.list()).toMatchObject([
          { healthStatus: "healthy", status: "running" },
        ])
      }),
    )
  })

  it("refuses one that answers 500, and a rollback brings back the one that was well", async () => {
    const { port, state } = await startService()
    await withService({ command: planCommand, port }, ({ deployer, repository, v1 }) =>
      Effect.gen(function* () {
        yield* deployer.deploy("api")
        const v2 = repository.commit({ VERSION: "2\n" })
        state.status = 500
        const bad = yield* deployer.deploy("api", { healthTimeout: 500 })
        expect(bad).toMatchObject({ status: "failed", version: v2 })
        expect(bad.reason).toMatch(/^it did not become healthy: 500 in \d+ ms$/)
        state.status = 200
        expect(yield* deployer.rollback("api")).toMatchObject({ status: "success", version: v1, verified: true })
        expect(yield* deployer.get(bad.id)).toMatchObject({ status: "rolled_back", rollbackVersion: v1 })
      }),
    )
  })

  it("waits for one that is slow to start", async () => {
    const { port, state } = await startService()
    state.status = 503
    await withService({ command: "true", port }, ({ deployer }) =>
      Effect.gen(function* () {
        const deploying = yield* Effect.fork(deployer.deploy("api", { healthTimeout: 20_000 }))
        yield* Effect.promise(() => until(() => state.asked > 1))
        state.status = 200
        expect(yield* Fiber.join(deploying)).toMatchObject({ status: "success", verified: true })
      }),
    )
  })
})

describe("what is kept of a deployment", () => {
  it("its output as it came, then its end without escape codes or secrets", () =>
    withService(
      { command: `printf '\\033[32mgreen\\033[0m\\n'; p=hunter2; echo "to: postgres://app:$p@db/app" >&2; exit 3` },
      ({ deployer }) =>
        Effect.gen(function* () {
          const seen: Array<string> = []
          const onOutput: DeployOptions["onOutput"] = ({ data }) =>
            Effect.sync(() => seen.push(Buffer.from(data).toString()))
          const row = yield* deployer.deploy("api", { onOutput })
          expect(seen.join("")).toContain("\u001b[32mgreen")
          expect(row).toMatchObject({ status: "failed", reason: "the deploy command exited with 3", deployedBy: "ada" })
          expect(row.logs).toContain("green\n")
          expect(row.logs).not.toContain("hunter2")
          expect(row.logs).not.toContain("\u001b")
          expect(row.durationSeconds).toBeGreaterThan(0)
        }),
    ))

  it("nothing yet, when whoever began it goes away: it goes on, and the next one settles it", () =>
    withService({ command: "echo begun; sleep 1; echo ended" }, ({ deployer }) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const onOutput: DeployOptions["onOutput"] = () => Deferred.succeed(begun, undefined)
        const deploying = yield* Effect.fork(deployer.deploy("api", { onOutput }))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(deploying)
        expect((yield* deployer.history("api"))[0]).toMatchObject({ status: "in_progress", logs: null })
        const row = yield* deployer.attach("api")
        expect(row).toMatchObject({ status: "success", logs: "begun\nended\n", deployedBy: "ada" })
        expect(yield* deployer.history("api")).toHaveLength(1)
      }),
    ))

  it("one made elsewhere, a note on it, and that it was hidden", () =>
    withService({ command: "true" }, ({ deployer }) =>
      Effect.gen(function* () {
        const row = yield* deployer.record({ service: "api", version: "1.4.2", status: "success", deployedBy: "ci" })
        expect(row).toMatchObject({ status: "success", version: "1.4.2", deployMethod: "ci", deployedBy: "ci" })
        expect(yield* deployer.annotate(row.id.slice(0, 13), "friday")).toMatchObject({ notes: "friday" })
        yield* deployer.hide(row.id)
        expect(yield* deployer.history("api")).toEqual([])
      }),
    ))
})

describe("what cannot be done is said at once", () => {
  it("without a deploy command", () =>
    withService({ command: "true" }, ({ deployer }) =>
      Effect.gen(function* () {
        yield* (yield* Registry).services.update("api", { deployCommand: null })
        const error = yield* Effect.flip(deployer.deploy("api"))
        expect(error).toMatchObject({ _tag: "OperationFailed", next: expect.stringContaining("--deploy") })
      }),
    ))

  it("without an earlier good version", () =>
    withService({ command: "true" }, ({ deployer }) =>
      Effect.map(Effect.flip(deployer.rollback("api")), (error) =>
        expect(error.message).toContain("no earlier version"),
      ),
    ))
})

/** Waits for something that another part of the program does; looks again on every turn of the event loop. */
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((turn) => setTimeout(turn, 1))
}
