/** One deployment from its first event to its last. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type { Commands } from "../../Commands.js"
import {
  type DeployMethod,
  DeploymentFailed,
  DeploymentRolledBack,
  DeploymentStarted,
  DeploymentSucceeded,
  entity,
} from "../../domain/Service.js"
import { OperationFailed, type RemoteError, type StorageError } from "../../Errors.js"
import * as Id from "../../Id.js"
import { Origin } from "../../Origin.js"
import type { ReadModels } from "../../ReadModels.js"
import type { DeploymentRow } from "../../views/deployments.js"
import type { Health } from "../Health.js"
import type { Hosts } from "../Hosts.js"
import { findService, fullName, type Placed } from "../names.js"
import { awaitHealth } from "./gate.js"
import { type History, namesOf } from "./history.js"
import { Tail } from "./output.js"
import type { DeployError, DeployerShape, DeployOptions, RollbackOptions } from "./types.js"
import { checkVersion, deployScript, mentionsVersion, readCommit, resolveCommit } from "./version.js"

interface Parts {
  readonly models: ReadModels["Type"]
  readonly commands: Commands["Type"]
  readonly health: Health["Type"]
  readonly hosts: Hosts["Type"]
  readonly history: History
}

/** A deployment that is decided on. */
interface Plan {
  readonly placed: Placed
  readonly id: string
  readonly command: string
  /** The commit or version to bring; `undefined` for whatever the command brings. */
  readonly version: string | undefined
  readonly previous: string | null
  readonly method: DeployMethod
  readonly options: DeployOptions
}

/** How the command and the check after it went. */
interface Outcome {
  /** Why it failed; `undefined` if it did not. */
  readonly reason?: string
  readonly verified: boolean
  readonly version: string | null
}

export const makeDeploy = (parts: Parts): Pick<DeployerShape, "deploy" | "rollback"> => ({
  deploy: Effect.fn("Deployer.deploy")(function* (name: string, options: DeployOptions = {}) {
    const placed = yield* findService(parts.models, name)
    const plan = yield* prepare(parts, placed, options.method ?? "manual", options)
    return yield* carryOut(parts, plan)
  }),
  rollback: Effect.fn("Deployer.rollback")(function* (name: string, options: RollbackOptions = {}) {
    const placed = yield* findService(parts.models, name)
    const past = yield* parts.models.deployments.list({
      where: { serviceId: placed.service.id },
      order: { by: "startedAt", descending: true },
    })
    const version = options.to ?? (yield* lastGood(placed, past))
    const plan = yield* prepare(parts, placed, "rollback", { ...options, version })
    const row = yield* carryOut(parts, plan)
    if (row.status === "success") yield* markLeft(parts, placed, past[0], row)
    return yield* parts.history.get(row.id)
  }),
})

/** Finds out everything that could refuse the deployment, before anything of it runs. */
const prepare = (
  parts: Parts,
  placed: Placed,
  method: DeployMethod,
  options: DeployOptions,
): Effect.Effect<Plan, DeployError> =>
  Effect.gen(function* () {
    const { service } = placed
    const name = fullName(placed)
    const command = service.deployCommand
    if (command === null) {
      return yield* new OperationFailed({
        operation: method === "rollback" ? "rollback" : "deploy",
        message: `service ${name} has no deploy command`,
        next: `context infra service update ${name} --deploy "<command>"`,
      })
    }
    if (options.version === undefined && command.includes("{{version}}")) {
      return yield* new OperationFailed({
        operation: "deploy",
        message: `the deploy command of ${name} needs a version`,
        next: `context infra deploy ${name} --version <version>`,
      })
    }
    yield* options.onStep?.("version") ?? Effect.void
    const previous = yield* commitAt(parts, placed)
    const wanted = options.version === undefined ? undefined : yield* checkVersion(options.version)
    const commit = wanted === undefined ? undefined : yield* resolve(parts, placed, wanted)
    if (wanted !== undefined && commit === undefined && !mentionsVersion(command)) {
      return yield* new OperationFailed({
        operation: "deploy",
        message: `the deploy command of ${name} does not say where the version goes`,
        next: `use {{version}} or $CONTEXT_VERSION in it: context infra service update ${name} --deploy "<command>"`,
      })
    }
    const id = yield* Id.make
    const version = commit ?? wanted
    return { placed, id, command, version, previous: previous ?? service.currentVersion, method, options }
  })

/** The commit that is checked out where the service lives, if that is a repository. */
const commitAt = (parts: Parts, { server, service }: Placed) =>
  service.projectPath === null
    ? Effect.succeed(null)
    : Effect.map(
        parts.hosts.run(server, { script: readCommit, args: [service.projectPath], timeout: 30_000 }),
        (result) => (/^[0-9a-f]{40,64}$/.test(result.stdout.trim()) ? result.stdout.trim() : null),
      )

/** The commit a version names where the service lives; `undefined` where there is no repository to ask. */
const resolve = (parts: Parts, placed: Placed, version: string): Effect.Effect<string | undefined, DeployError> =>
  Effect.gen(function* () {
    const path = placed.service.projectPath
    if (path === null) return undefined
    const { hosts } = parts
    const result = yield* hosts.run(placed.server, { script: resolveCommit, args: [path, version], timeout: 60_000 })
    const commit = result.stdout.trim()
    if (/^[0-9a-f]{40,64}$/.test(commit)) return commit
    if (result.exitCode === 0) return undefined
    const message =
      result.exitCode === 3
        ? `there is no version ${version} in ${path} on ${placed.server.name}, nor at its origin`
        : `the project path ${path} cannot be entered on ${placed.server.name}`
    return yield* new OperationFailed({ operation: "deploy", message, next: "nothing was run" })
  })

const carryOut = (parts: Parts, plan: Plan): Effect.Effect<DeploymentRow, DeployError> =>
  Effect.gen(function* () {
    const startedAt = yield* Clock.currentTimeMillis
    const tail = new Tail()
    yield* recordStart(parts, plan)
    const end = (outcome: Outcome) => recordEnd(parts, plan, startedAt, tail, outcome)
    yield* runAndCheck(parts, plan, tail).pipe(
      Effect.onInterrupt(() =>
        Effect.ignore(end({ reason: "interrupted by the person who began it", verified: false, version: null })),
      ),
      Effect.flatMap(end),
    )
    yield* plan.options.onStep?.("done") ?? Effect.void
    return yield* parts.history.get(plan.id)
  })

/** Runs the command, then waits for the service to be well. Whatever goes wrong on the host is an outcome. */
const runAndCheck = (parts: Parts, plan: Plan, tail: Tail): Effect.Effect<Outcome, StorageError> =>
  Effect.gen(function* () {
    yield* plan.options.onStep?.("command") ?? Effect.void
    const result = yield* runCommand(parts, plan, tail)
    const version = (yield* commitAt(parts, plan.placed)) ?? plan.version ?? null
    if (result.exitCode !== 0) {
      return { reason: `the deploy command exited with ${result.exitCode}`, verified: false, version }
    }
    if (plan.version !== undefined && version !== plan.version) {
      const reason = `the deploy command left version ${version ?? "unknown"}, not ${plan.version}`
      return { reason, verified: false, version }
    }
    if (plan.placed.service.healthEndpoint === null) return { verified: false, version }
    yield* plan.options.onStep?.("health") ?? Effect.void
    const report = yield* awaitHealth(parts.health, plan.placed, plan.options.healthTimeout ?? 60_000)
    yield* parts.health.record(plan.placed, report)
    if (report.status === "healthy") return { verified: true, version }
    return { reason: `it did not become healthy: ${report.detail}`, verified: false, version }
  }).pipe(
    Effect.catchTag("RemoteError", (error: RemoteError) =>
      Effect.succeed({ reason: error.message, verified: false, version: null }),
    ),
  )

const runCommand = (parts: Parts, plan: Plan, tail: Tail) => {
  const { server, service } = plan.placed
  return parts.hosts.run(server, {
    script: deployScript(plan.command, plan.version),
    ...(service.projectPath === null ? {} : { cwd: service.projectPath }),
    env: {
      CONTEXT_VERSION: plan.version ?? "",
      CONTEXT_PREVIOUS_VERSION: plan.previous ?? "",
      CONTEXT_SERVICE: service.name,
      CONTEXT_DEPLOY_ID: plan.id,
    },
    timeout: plan.options.timeout ?? 15 * 60_000,
    maxOutput: 0,
    onOutput: (chunk) =>
      Effect.zipRight(
        Effect.sync(() => tail.push(chunk.data)),
        plan.options.onOutput?.(chunk) ?? Effect.void,
      ),
  })
}

const recordStart = (parts: Parts, plan: Plan) =>
  Effect.gen(function* () {
    const { actor } = yield* Origin
    yield* parts.commands.record(entity.aggregate, plan.placed.service.id, [
      DeploymentStarted({
        ...namesOf(plan.placed),
        deploymentId: plan.id,
        version: plan.version ?? null,
        previousVersion: plan.previous,
        deployedBy: actor,
        method: plan.method,
        notes: plan.options.notes ?? null,
        at: DateTime.formatIso(yield* DateTime.now),
      }),
    ])
  })

const recordEnd = (parts: Parts, plan: Plan, startedAt: number, tail: Tail, outcome: Outcome) =>
  Effect.gen(function* () {
    const now = yield* DateTime.now
    const ended = {
      ...namesOf(plan.placed),
      deploymentId: plan.id,
      version: outcome.version,
      duration: (now.epochMillis - startedAt) / 1000,
      logs: tail.text,
      at: DateTime.formatIso(now),
    }
    yield* parts.commands.record(entity.aggregate, plan.placed.service.id, [
      outcome.reason === undefined
        ? DeploymentSucceeded({ ...ended, verified: outcome.verified })
        : DeploymentFailed({ ...ended, reason: outcome.reason }),
    ])
  })

/** The last version that was deployed well and is not the one that is there now. */
const lastGood = (placed: Placed, past: ReadonlyArray<DeploymentRow>): Effect.Effect<string, OperationFailed> => {
  const good = past.find(
    (row) => row.status === "success" && row.version !== null && row.version !== placed.service.currentVersion,
  )
  return good?.version
    ? Effect.succeed(good.version)
    : new OperationFailed({
        operation: "rollback",
        message: `service ${fullName(placed)} has no earlier version that was deployed well`,
        next: `context infra rollback ${fullName(placed)} --to <version>, or context infra history ${fullName(placed)}`,
      })
}

/** Marks the deployment that was gone back from. */
const markLeft = (parts: Parts, placed: Placed, left: DeploymentRow | undefined, row: DeploymentRow) =>
  left === undefined || row.version === null
    ? Effect.void
    : parts.commands.record(entity.aggregate, placed.service.id, [
        DeploymentRolledBack({
          ...namesOf(placed),
          deploymentId: left.id,
          rollbackVersion: row.version,
          by: row.id,
        }),
      ])
