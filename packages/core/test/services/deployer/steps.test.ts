import { execFileSync } from "node:child_process"
import { rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { afterAll, beforeAll, expect, it } from "vitest"
import { EventLog } from "../../../src/EventLog.js"
import { quote } from "../../../src/Shell.js"
import { Deployer } from "../../../src/services/Deployer.js"
import { Registry } from "../../../src/services/Registry.js"
import { makeRepository } from "../../support/repository.js"
import { describeSshd, type Sshd, startSshd } from "../../support/sshd.js"
import { ledgerOf, onMachine, tracks } from "./setting.js"

describeSshd("the steps of a deployment", () => {
  let sshd: Sshd
  const traces = tracks()
  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(async () => {
    await sshd.dispose()
    rmSync(traces.directory, { recursive: true })
  })

  const events = Effect.gen(function* () {
    const all = yield* Stream.runCollect((yield* EventLog).readAll())
    return [...all]
  })

  it("run in order, each an event with its duration, all over one connection", async () => {
    const healthy = createServer((_, response) => void response.writeHead(200).end())
    await new Promise<void>((done) => healthy.listen(0, "127.0.0.1", done))
    const { port } = healthy.address() as AddressInfo
    const before = sshd.connections()
    await onMachine(
      sshd,
      {
        name: "stepped",
        port,
        healthEndpoint: "/health",
        projectPath: traces.directory,
        deployCommand: 'echo "command in $PWD"; sleep 0.2',
        deploySettings: { pre: "echo pre $CONTEXT_SERVICE", post: "echo post", healthCount: 3 },
      },
      (deployer) =>
        Effect.gen(function* () {
          const row = yield* deployer.deploy("stepped")
          expect(row).toMatchObject({
            status: "success",
            verified: true,
            logs: `pre stepped\ncommand in ${traces.directory}\npost\n`,
            steps: [{ step: "pre" }, { step: "command" }, { step: "post" }, { step: "health", exitCode: null }],
          })
          expect(row.steps[1]?.duration).toBeGreaterThan(0.15)
          expect((yield* events).slice(-6).map(({ type }) => type)).toEqual([
            "HealthChecked",
            ...Array(4).fill("DeploymentStepEnded"),
            "DeploymentSucceeded",
          ])
        }),
    )
    // One to look at the host key, as ever before a first use; one for everything else.
    expect(sshd.connections() - before).toBe(1)
    healthy.close()
  })

  it("end with the first that fails", () =>
    onMachine(sshd, { name: "stopped", deployCommand: "echo never", deploySettings: { pre: "exit 9" } }, (deployer) =>
      Effect.map(deployer.deploy("stopped"), (row) =>
        expect(row).toMatchObject({
          status: "failed",
          reason: "the pre command exited with 9",
          logs: "",
          steps: [{ step: "pre", ok: false, exitCode: 9 }],
        }),
      ),
    ))

  it("get the variables that are named, whose values are nowhere but in their environment", () => {
    const value = "s3cr3t-from-the-environment"
    return onMachine(
      sshd,
      {
        name: "given",
        deployCommand: `ps axww > ${traces.path("ps")}; printf %s "$NPM_TOKEN" | wc -c; echo "it is $NPM_TOKEN"`,
        deploySettings: { env: ["NPM_TOKEN"] },
      },
      (deployer) =>
        Effect.gen(function* () {
          const missing = yield* Effect.flip(deployer.deploy("given", { environment: {} }))
          expect(missing.message).toContain("needs NPM_TOKEN in the environment")
          const row = yield* deployer.deploy("given", { environment: { NPM_TOKEN: value } })
          expect(row).toMatchObject({ status: "success", logs: `${value.length}\nit is [hidden]\n` })
          expect((yield* deployer.output(row.id)).text).not.toContain(value)
          expect(JSON.stringify(yield* events)).not.toContain(value)
          expect(traces.read("ps")).toContain("runner.sh")
          expect(traces.read("ps")).not.toContain(value)
          // On the host it is only where the command itself wrote it.
          const found = execFileSync("grep", ["-rl", value, ledgerOf(sshd, "given")], { encoding: "utf8" })
          expect(
            found
              .trim()
              .split("\n")
              .map((path) => path.replace(/^.*\//, "")),
          ).toEqual(["output"])
        }),
    )
  })

  it("roll back when they fail, if that is what is wanted, under the same lock", async () => {
    const repository = makeRepository()
    const v1 = repository.commit({ run: "exit 0\n" })
    repository.clone()
    await onMachine(
      sshd,
      {
        name: "auto",
        projectPath: repository.project,
        deployCommand: "git pull --quiet && sh ./run",
        deploySettings: { autoRollback: true },
      },
      (deployer) =>
        Effect.gen(function* () {
          expect(yield* deployer.deploy("auto")).toMatchObject({ status: "success", version: v1 })
          const v2 = repository.commit({ run: "exit 5\n" })
          const failed = yield* deployer.deploy("auto")
          expect(failed).toMatchObject({ status: "rolled_back", version: v2, rollbackVersion: v1 })
          expect(repository.head()).toBe(v1)
          expect((yield* deployer.history("auto")).map((row) => row.status)).toEqual([
            "success",
            "rolled_back",
            "success",
          ])
          // The lock is free, and was never free in between: three deployments, three counts.
          expect((yield* deployer.lock("auto")).counter).toBe(4)
        }),
    )
    rmSync(repository.directory, { recursive: true })
  })

  it("are planned without changing anything", async () => {
    const repository = makeRepository()
    const v1 = repository.commit({ VERSION: "1\n" })
    repository.clone()
    const v2 = repository.commit({ VERSION: "2\n" })
    const snapshot = () =>
      execFileSync(
        "sh",
        ["-c", `find ${quote(repository.project)} ${quote(sshd.home)} -type f | sort | xargs sha256sum`],
        {
          encoding: "utf8",
        },
      )
    await onMachine(
      sshd,
      { name: "planned", projectPath: repository.project, deployCommand: "git pull --quiet && cat VERSION" },
      (deployer) =>
        Effect.gen(function* () {
          yield* (yield* Registry).services.add({ name: "web", server: "host" })
          yield* (yield* Registry).dependencies.add({ service: "web", on: "planned" } as never)
          const before = snapshot()
          const plan = yield* deployer.plan("planned")
          expect(snapshot()).toBe(before)
          expect(plan).toMatchObject({
            service: "host/planned",
            from: v1,
            to: v2,
            backwards: false,
            affected: ["host/web"],
            lock: null,
            rollback: null,
            problems: [],
          })
          expect(plan.commits).toEqual([`${v2.slice(0, 7)} VERSION`])
          const old = yield* deployer.plan("planned", { version: v1 })
          expect(old.steps[0]?.command).toContain("git() {")
          expect((yield* deployer.plan("planned", { version: "v9.9.9" })).problems[0]).toContain("no version v9.9.9")

          yield* deployer.deploy("planned", { version: v1 })
          yield* deployer.deploy("planned")
          const back = yield* deployer.plan("planned", { version: v1 })
          expect(back).toMatchObject({ from: v2, to: v1, backwards: true, rollback: { version: v1, available: true } })
        }),
    )
    rmSync(repository.directory, { recursive: true })
  })

  it("of many services: some at a time, and none after a failure", () =>
    onMachine(sshd, { name: "one", deployCommand: "sleep 0.2" }, (deployer) =>
      Effect.gen(function* () {
        const { services } = yield* Registry
        for (const [name, deployCommand] of [
          ["two", "exit 1"],
          ["three", "true"],
          ["four", "true"],
        ] as const) {
          yield* services.add({ name, server: "host", deployCommand })
        }
        const names = ["one", "two", "three", "four"]
        const result = yield* deployer.deployMany({ services: names }, { batch: "50%" })
        expect(result.deployments.map((row) => [row.service, row.status])).toEqual([
          ["one", "success"],
          ["two", "failed"],
        ])
        expect(result).toMatchObject({ refused: [], left: ["host/three", "host/four"] })
        const bad = yield* Effect.flip(deployer.deployMany({ services: names }, { batch: "0%" }))
        expect(bad.message).toContain("25%")
        yield* (yield* Registry).servers.update("host", { tags: ["edge"] })
        yield* services.update("two", { deployCommand: "true" })
        const all = yield* deployer.deployMany({ tag: "edge" }, { batch: "4" })
        expect(all.deployments).toHaveLength(4)
        expect((yield* Effect.flip(deployer.deployMany({ tag: "none" }))).message).toContain("tagged none")
      }),
    ))

  it("do not touch a pinned service", () =>
    onMachine(sshd, { name: "pinned", deployCommand: "true" }, (deployer) =>
      Effect.gen(function* () {
        yield* deployer.pin("pinned", "until monday")
        const error = yield* Effect.flip(deployer.deploy("pinned"))
        expect(error).toMatchObject({ next: "context infra deploy unpin host/pinned" })
        expect(error.message).toBe("host/pinned is pinned: until monday")
        yield* deployer.unpin("pinned")
        expect(yield* deployer.deploy("pinned")).toMatchObject({ status: "success" })
        expect(yield* Deployer).toBeDefined()
      }),
    ))
})
