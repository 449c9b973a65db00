/** Everything before the first command runs: what could refuse it, the lock, the ledger, the event that it began. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { Attendant } from "../../Attendant.js"
import { type DeployMethod, DeploymentStarted, entity } from "../../domain/Service.js"
import { OperationFailed } from "../../Errors.js"
import * as Id from "../../Id.js"
import { Origin } from "../../Origin.js"
import { fullName, type Placed } from "../names.js"
import { hasCheck } from "./gate.js"
import { heldBy, leftBy } from "./held.js"
import { namesOf } from "./history.js"
import type { HostError, Job, Prepared } from "./host/Ledger.js"
import type { Parts } from "./parts.js"
import { hiddenOf, limitsOf, metaOf, type Run } from "./run.js"
import type { DeployError, DeployOptions } from "./types.js"
import { checkVersion, deployScript, mentionsVersion } from "./version.js"

export interface Begun {
  readonly run: Run
  readonly job: Job
}

/** What is asked for, where nothing on this machine speaks against it. */
interface Intent {
  readonly placed: Placed
  readonly command: string
  readonly method: DeployMethod
  readonly options: DeployOptions
  readonly wanted: string | undefined
  /** The environment variables that the settings name. */
  readonly given: Readonly<Record<string, string>>
  /** A deployment whose lock goes over to this one. */
  readonly inherit: string | undefined
}

/** Takes the lock on the host and writes into the log that it begins. Until then a refusal leaves nothing behind. */
export const begin = (
  parts: Parts,
  placed: Placed,
  method: DeployMethod,
  options: DeployOptions,
  inherit?: string,
): Effect.Effect<Begun, DeployError> =>
  Effect.gen(function* () {
    const intent = yield* intend(placed, method, options, inherit)
    yield* options.onStep?.("prepare") ?? Effect.void
    const draft = yield* drafted(intent)
    const run = yield* claimed(parts, intent, draft)
    yield* options.onBegin?.(run.id) ?? Effect.void
    return { run, job: jobOf(intent, run) }
  })

/** The run with the lock, and its beginning in the log. Whoever leaves before that leaves no lock behind. */
const claimed = (parts: Parts, intent: Intent, draft: Run): Effect.Effect<Run, DeployError> => {
  const { server, service } = draft.placed
  const release = Effect.ignore(parts.ledger.unlock(server, service.name, draft.id))
  return Effect.gen(function* () {
    const ready = yield* prepared(parts, intent, draft)
    const run = { ...draft, version: ready.wanted ?? intent.wanted, previous: ready.commit ?? draft.previous }
    const stop = refusalOf(intent, ready)
    if (stop !== undefined) {
      yield* release
      return yield* stop
    }
    yield* Effect.onError(recordStart(parts, run), () => release)
    return run
  }).pipe(Effect.onInterrupt(() => release))
}

const intend = (
  placed: Placed,
  method: DeployMethod,
  options: DeployOptions,
  inherit: string | undefined,
): Effect.Effect<Intent, DeployError> =>
  Effect.gen(function* () {
    const { service } = placed
    const name = fullName(placed)
    const operation = method === "rollback" ? "rollback" : "deploy"
    const command = service.deployCommand
    if (command === null) {
      return yield* new OperationFailed({
        operation,
        message: `service ${name} has no deploy command`,
        next: `context infra service update ${name} --deploy "<command>"`,
      })
    }
    if (options.version === undefined && command.includes("{{version}}")) {
      return yield* new OperationFailed({
        operation,
        message: `the deploy command of ${name} needs a version`,
        next: `context infra deploy ${name} --version <version>`,
      })
    }
    const wanted = options.version === undefined ? undefined : yield* checkVersion(options.version)
    const { pinned } = service
    if (pinned !== null && (wanted === undefined || wanted !== pinned.version)) {
      return yield* new OperationFailed({
        operation,
        message: `${name} is pinned${pinned.version === null ? "" : ` at ${pinned.version.slice(0, 12)}`}${pinned.reason === null ? "" : `: ${pinned.reason}`}`,
        next: `context infra deploy unpin ${name}`,
      })
    }
    const given = yield* environmentOf(placed, options)
    return { placed, command, method, options, wanted, given, inherit }
  })

/** The variables that the service's settings name, from whoever deploys. */
const environmentOf = (
  { service }: Placed,
  { environment = {} }: DeployOptions,
): Effect.Effect<Readonly<Record<string, string>>, OperationFailed> => {
  const names = service.deploySettings?.env ?? []
  const missing = names.filter((name) => environment[name] === undefined)
  return missing.length > 0
    ? new OperationFailed({
        operation: "deploy",
        message: `the deploy of ${service.name} needs ${missing.join(", ")} in the environment`,
        next: `set ${missing.length === 1 ? "it" : "them"} where you run the command; the log keeps names only`,
      })
    : Effect.succeed(Object.fromEntries(names.map((name) => [name, environment[name] as string])))
}

const drafted = ({ method, options, placed, wanted }: Intent): Effect.Effect<Run> =>
  Effect.gen(function* () {
    const { actor } = yield* Origin
    const id = yield* Id.make
    return {
      placed,
      id,
      at: { server: placed.server, service: placed.service.name, id },
      method,
      version: wanted,
      previous: placed.service.currentVersion,
      deployedBy: actor,
      notes: options.notes ?? null,
      startedAt: yield* Clock.currentTimeMillis,
      ...limitsOf(placed.service.deploySettings, options),
      hidden: hiddenOf(placed, options),
      watch: options,
    }
  })

type Ready = Extract<Prepared, { readonly _tag: "Ready" }>

/** The lock, taken at once or when its holder has gone, as far as one wants to wait. */
const prepared = (parts: Parts, intent: Intent, run: Run): Effect.Effect<Ready, DeployError> =>
  Effect.gen(function* () {
    const { options, placed } = intent
    const { machine } = yield* Origin
    const attendant = (yield* Attendant).id
    const until = (yield* Clock.currentTimeMillis) + (options.wait ?? 0)
    let inherit = intent.inherit
    while (true) {
      const asking = parts.ledger.prepare(run.at, {
        holder: { actor: run.deployedBy, machine, attendant, reason: run.notes ?? "" },
        takeOver: options.takeOver ?? false,
        inherit,
        meta: metaOf(run, attendant, machine),
        projectPath: placed.service.projectPath,
        version: intent.wanted,
      })
      // Asked again, the host finds the lock with the deployment that asks: nothing is lost with a lost answer.
      // Cut off in the middle, the host would be left with a lock that nobody has signed.
      const answer = yield* Effect.retry(Effect.uninterruptible(asking), {
        while: linkBroke,
        times: 3,
        schedule: Schedule.exponential("500 millis"),
      })
      if (answer._tag === "Ready") return answer
      if (answer._tag === "NoVersion") return yield* noVersion(intent)
      const left = leftBy(answer.by)
      if (left !== undefined && options.takeOver && left !== inherit) {
        inherit = left
        continue
      }
      if (left !== undefined || (yield* Clock.currentTimeMillis) >= until)
        return yield* heldBy(placed, answer.by, "deploy")
      yield* options.onStep?.("waiting", `${answer.by.actor}@${answer.by.machine}`) ?? Effect.void
      yield* Effect.sleep("1 second")
    }
  })

const linkBroke = (error: HostError): boolean =>
  error._tag === "RemoteError" && (error.reason === "connection-lost" || error.reason === "unreachable")

const noVersion = ({ method, placed, wanted }: Intent) =>
  new OperationFailed({
    operation: method === "rollback" ? "rollback" : "deploy",
    message: `there is no version ${wanted} in ${placed.service.projectPath} on ${placed.server.name}, nor at its origin`,
    next: "nothing was run",
  })

const refusalOf = ({ command, placed, wanted }: Intent, ready: Ready): OperationFailed | undefined =>
  wanted === undefined || mentionsVersion(command) || ready.wanted !== undefined
    ? undefined
    : new OperationFailed({
        operation: "deploy",
        message: `the deploy command of ${fullName(placed)} does not say where the version goes`,
        next: `use {{version}} or $CONTEXT_VERSION in it: context infra service update ${fullName(placed)} --deploy "<command>"`,
      })

const jobOf = ({ command, given, placed }: Intent, run: Run): Job => {
  const { service } = placed
  const settings = service.deploySettings
  return {
    projectPath: settings?.directory ?? service.projectPath,
    pre: settings?.pre,
    command: deployScript(command, run.version),
    post: settings?.post,
    given,
    env: {
      CONTEXT_VERSION: run.version ?? "",
      CONTEXT_PREVIOUS_VERSION: run.previous ?? "",
      CONTEXT_SERVICE: service.name,
      CONTEXT_DEPLOY_ID: run.id,
      // Where git would ask on a terminal, it fails and says what it wanted.
      GIT_TERMINAL_PROMPT: "0",
    },
    timeout: Math.max(1, Math.ceil(run.timeout / 1000)),
    release: !hasCheck(service) && !run.autoRollback,
  }
}

/** Written before the first byte runs, so that whatever happens then has a beginning in the log. */
export const recordStart = (parts: Parts, run: Run) =>
  parts.commands.record(entity.aggregate, run.placed.service.id, [
    DeploymentStarted({
      ...namesOf(run.placed),
      deploymentId: run.id,
      version: run.version ?? null,
      previousVersion: run.previous,
      deployedBy: run.deployedBy,
      method: run.method,
      notes: run.notes,
      at: DateTime.formatIso(DateTime.unsafeMake(run.startedAt)),
    }),
  ])
