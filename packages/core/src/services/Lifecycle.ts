/** Restarts, stops and starts services where they run, and tells whether they are well afterwards. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Commands } from "../Commands.js"
import { entity, type LifecycleAction, ServiceActionEnded } from "../domain/Service.js"
import { OperationFailed, type RegistryError, type RemoteError } from "../Errors.js"
import { ReadModels } from "../ReadModels.js"
import type { OutputChunk } from "../Remote.js"
import { spanMillis } from "../Time.js"
import { awaitHealth, hasCheck, probe } from "./deployer/gate.js"
import { heldBy } from "./deployer/held.js"
import { namesOf } from "./deployer/history.js"
import { makeLedger } from "./deployer/host/Ledger.js"
import { Output } from "./deployer/output.js"
import { Health } from "./Health.js"
import { Hosts } from "./Hosts.js"
import { type Control, detectedControl, registeredControl } from "./lifecycle/control.js"
import { detect } from "./logs/source.js"
import { findService, fullName, type Placed } from "./names.js"
import { doneAnyway } from "./unnoted.js"

export interface LifecycleOptions {
  /** Milliseconds in which it has to become healthy. Default: the service's own setting, else 60,000. */
  readonly healthTimeout?: number | undefined
  /** Milliseconds that the command may take. Default 120,000. */
  readonly timeout?: number | undefined
  /** Do it although somebody deploys it, or has locked it. Default false. */
  readonly force?: boolean
  readonly onOutput?: (chunk: OutputChunk) => Effect.Effect<void>
  /** What goes on: `command` with what is run, `health` while it has to become healthy. */
  readonly onStep?: (step: "command" | "health", detail?: string) => Effect.Effect<void>
}

/** How it went. `done` without `verified`: nothing could be checked. */
export interface LifecycleReport {
  readonly service: string
  readonly server: string
  readonly action: LifecycleAction
  readonly outcome: "done" | "failed" | "unknown"
  /** Why it is not done, in words. */
  readonly reason: string | null
  readonly exitCode: number | null
  readonly verified: boolean
  /** Seconds, the wait for its health included. */
  readonly duration: number
  /** The end of what it printed, secrets and escape codes removed. */
  readonly logs: string
}

type LifecycleError = RegistryError | RemoteError | OperationFailed
type Act = (service: string, options?: LifecycleOptions) => Effect.Effect<LifecycleReport, LifecycleError>

/** What was tried and failed is an answer (`outcome`), not an error; errors mean that nothing was run. */
export class Lifecycle extends Context.Tag("@context-engine/core/Lifecycle")<
  Lifecycle,
  { readonly restart: Act; readonly stop: Act; readonly start: Act }
>() {
  static readonly layer = Layer.effect(
    Lifecycle,
    Effect.gen(function* () {
      const parts = {
        models: yield* ReadModels,
        commands: yield* Commands,
        hosts: yield* Hosts,
        health: yield* Health,
      }
      const act = (action: LifecycleAction) =>
        Effect.fn(`Lifecycle.${action}`)(function* (name: string, options: LifecycleOptions = {}) {
          const placed = yield* findService(parts.models, name)
          yield* parts.commands.ready
          if (!options.force) yield* checkLock(parts, placed, action)
          return yield* carryOut(parts, placed, action, yield* controlOf(parts, placed, action), options)
        })
      return Lifecycle.of({ restart: act("restart"), stop: act("stop"), start: act("start") })
    }),
  )
}

interface Parts {
  readonly models: ReadModels["Type"]
  readonly commands: Commands["Type"]
  readonly hosts: Hosts["Type"]
  readonly health: Health["Type"]
}

/** A deployment restarts it by itself, and would not know what happened to it. */
const checkLock = ({ hosts }: Parts, placed: Placed, action: LifecycleAction) =>
  Effect.gen(function* () {
    const { holder } = yield* makeLedger(hosts).inspect(placed.server, placed.service.name)
    if (holder === undefined) return
    const name = fullName(placed)
    const { message } = heldBy(placed, holder, action)
    const first =
      holder.state === "hand" ? `context infra deploy unlock ${name}` : `context infra deploy attach ${name}`
    return yield* new OperationFailed({ operation: action, message, next: `${first}; or ${action} it with --force` })
  })

const controlOf = ({ hosts }: Parts, { server, service }: Placed, action: LifecycleAction) =>
  Effect.gen(function* () {
    const registered = registeredControl(service, action)
    if (registered !== undefined) return registered
    const { stdout } = yield* hosts.run(server, { script: detect, args: [service.name], timeout: 20_000 })
    return detectedControl(service, action, stdout) ?? (yield* unmanaged({ server, service }, action))
  })

/** What is known so far of how it went. */
type Course = Pick<LifecycleReport, "outcome" | "reason" | "exitCode" | "verified">

const carryOut = (parts: Parts, placed: Placed, action: LifecycleAction, control: Control, options: LifecycleOptions) =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    const output = new Output()
    const record = (course: Course) =>
      Effect.gen(function* () {
        output.finish()
        const now = yield* Clock.currentTimeMillis
        const ended = { ...course, action, duration: (now - began) / 1000, logs: output.tail }
        const about = { ...namesOf(placed), forced: options.force ?? false, at: new Date(now).toISOString() }
        const note = parts.commands.record(entity.aggregate, placed.service.id, [
          ServiceActionEnded({ ...about, ...ended }),
        ])
        yield* note.pipe(doneAnyway(`${control.what} was run on ${placed.server.name}`))
        return { service: placed.service.name, server: placed.server.name, ...ended }
      })
    yield* options.onStep?.("command", control.what) ?? Effect.void
    const course = yield* runControl(parts, placed, control, output, options).pipe(
      Effect.flatMap((ran) => verify(parts, placed, action, ran, options)),
      Effect.onInterrupt(() => Effect.ignore(record(unseen("whoever asked for it went away before it ended")))),
    )
    return yield* record(course)
  })

const unseen = (reason: string): Course => ({ outcome: "unknown", reason, exitCode: null, verified: false })

/** Runs it. A link that breaks is no failure of the command: nobody knows. What fails before it began is an error. */
const runControl = (
  { hosts }: Parts,
  { server }: Placed,
  { command, what }: Control,
  output: Output,
  { onOutput, timeout = 120_000 }: LifecycleOptions,
) =>
  hosts
    .run(server, {
      ...command,
      timeout,
      maxOutput: 0,
      onOutput: (chunk) =>
        Effect.suspend(() => {
          output.push(chunk.data)
          return onOutput?.(chunk) ?? Effect.void
        }),
    })
    .pipe(
      Effect.map(({ exitCode }): Course => {
        if (exitCode === 0) return { outcome: "done", reason: null, exitCode, verified: false }
        output.finish()
        const said = output.tail.trimEnd().split("\n").at(-1)?.slice(0, 200) ?? ""
        const reason = `${what} exited with ${exitCode}${said === "" ? "" : `: ${said}`}`
        return { outcome: "failed", reason, exitCode, verified: false }
      }),
      Effect.catchIf(
        (error) => error._tag === "RemoteError" && error.reason === "timeout",
        () =>
          Effect.succeed<Course>({ ...unseen(`${what} did not end within ${timeout / 1000} s`), outcome: "failed" }),
      ),
      Effect.catchIf(
        (error) => error._tag === "RemoteError" && error.reason === "connection-lost",
        ({ message }) => Effect.succeed(unseen(`the link broke while it ran: ${message}`)),
      ),
    )

/** After a restart and a start: is it well? */
const verify = (
  { health, hosts }: Parts,
  placed: Placed,
  action: LifecycleAction,
  ran: Course,
  { healthTimeout, onStep }: LifecycleOptions,
) =>
  Effect.gen(function* () {
    const { service } = placed
    if (ran.outcome !== "done" || action === "stop" || !hasCheck(service)) return ran
    yield* onStep?.("health") ?? Effect.void
    const timeout = healthTimeout ?? spanMillis(service.deploySettings?.healthTimeout ?? "") ?? 60_000
    const report = yield* awaitHealth(probe(health, hosts, placed), { count: 2, timeout }, timeout)
    yield* health.record(placed, report)
    if (report.status === "healthy") return { ...ran, verified: true }
    const away = report.status === "unknown"
    const reason = `${away ? "nobody could ask whether it is healthy" : "it did not become healthy"}: ${report.detail}`
    return { ...ran, outcome: away ? ("unknown" as const) : ("failed" as const), reason }
  })

const unmanaged = (placed: Placed, action: LifecycleAction) =>
  new OperationFailed({
    operation: action,
    message: `nobody on ${placed.server.name} knows how to ${action} ${placed.service.name}: no systemd unit, container or pm2 process has that name`,
    next:
      action === "restart"
        ? `context infra service update ${fullName(placed)} --restart <command>`
        : `context infra service update ${fullName(placed)} --runtime systemd (or docker, podman, pm2)`,
  })
