/** A person's own command, run on many servers at once. The log keeps what was run where, not what it printed. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Commands } from "../Commands.js"
import { CommandRun, entity } from "../domain/Server.js"
import { redactArgv } from "../domain/secretShapes.js"
import { InvalidInput, OperationFailed, type RegistryError, type RemoteError, type StorageError } from "../Errors.js"
import { ReadModels, type Views } from "../ReadModels.js"
import type { RemoteResult } from "../Remote.js"
import type { ServerRow } from "../views/servers.js"
import { withoutName } from "../words.js"
import { Hosts } from "./Hosts.js"
import { inTime } from "./inTime.js"
import { findServers } from "./names.js"
import { unnoted } from "./unnoted.js"

/** On which servers: by name, all with a tag, or all there are. */
export interface Where {
  readonly names?: ReadonlyArray<string>
  readonly tag?: string | undefined
  readonly all?: boolean
}

export interface RunOptions {
  /** Milliseconds for each server, connecting included. Default 60,000. */
  readonly timeout?: number | undefined
  /** How many servers at once. Default 16. */
  readonly concurrency?: number | undefined
  /** Called with each report as soon as there is one. */
  readonly onReport?: (report: RunReport) => Effect.Effect<void>
}

/** What became of a command on one server. */
export interface RunReport {
  readonly server: string
  /** `null` where it was not run, or nobody saw it end: `error` says why. */
  readonly exitCode: number | null
  /** The first MiB of each, as text. */
  readonly stdout: string
  readonly stderr: string
  /** Whether there was more of either. */
  readonly truncated: boolean
  /** Seconds, connecting included. */
  readonly duration: number
  readonly error: { readonly reason: RemoteError["reason"]; readonly message: string } | null
}

/** Bytes of each stream that a report holds. */
const most = 1024 * 1024

/** What fails before the command could begin: there is nothing for the log to keep. */
const before = new Set<RemoteError["reason"]>([
  "unreachable",
  "authentication",
  "unreadable-key",
  "elsewhere",
  "host-key-unknown",
  "host-key-changed",
  "refused",
])

export class RunCommand extends Context.Tag("@context-engine/core/RunCommand")<
  RunCommand,
  {
    /** Runs a command on servers, and reports in the order of their names. No shell reads its arguments. */
    readonly run: (
      where: Where,
      argv: ReadonlyArray<string>,
      options?: RunOptions,
    ) => Effect.Effect<ReadonlyArray<RunReport>, RegistryError | OperationFailed>
  }
>() {
  static readonly layer = Layer.effect(
    RunCommand,
    Effect.gen(function* () {
      const models = yield* ReadModels
      const commands = yield* Commands
      const hosts = yield* Hosts

      const note = (server: ServerRow, argv: ReadonlyArray<string>, { duration, error, exitCode }: Ended) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          commands.record(entity.aggregate, server.id, [
            CommandRun({
              server: server.name,
              argv: redactArgv(argv),
              exitCode,
              reason: error === null ? null : withoutName(error.message, server.name),
              duration,
              at: new Date(now).toISOString(),
            }),
          ]),
        )

      /** Gives what it was to the log only once it was told: what ran has run, whether the log can keep that or not. */
      const runOn = (
        server: ServerRow,
        argv: ReadonlyArray<string>,
        { onReport = () => Effect.void, timeout = 60_000 }: RunOptions,
      ) =>
        Effect.gen(function* () {
          const began = yield* Clock.currentTimeMillis
          const since = Effect.map(Clock.currentTimeMillis, (now) => (now - began) / 1000)
          const left = Effect.flatMap(since, (duration) => note(server, argv, { ...interrupted, duration }))
          const ended = yield* Effect.either(attempt(hosts, server, argv, timeout)).pipe(
            Effect.onInterrupt(() => Effect.ignore(left)),
          )
          const report = reportOf(server, ended, yield* since)
          if (ended._tag === "Left" && ended.left._tag === "StorageError") return yield* ended.left
          yield* onReport(report)
          const hasRun = report.error === null || !before.has(report.error.reason)
          const keep = hasRun ? Effect.asVoid(note(server, argv, report)) : Effect.void
          const unkept = Option.getOrUndefined(yield* Effect.option(Effect.flip(keep)))
          return { report, unkept }
        })

      return RunCommand.of({
        run: Effect.fn("RunCommand.run")(function* (where, argv, options = {}) {
          yield* check(argv)
          const servers = yield* select(models, where)
          yield* commands.ready
          const { concurrency = 16 } = options
          const ran = yield* Effect.forEach(servers, (server) => runOn(server, argv, options), { concurrency })
          const unkept = ran.filter(({ unkept }) => unkept !== undefined)
          const [first] = unkept
          if (first?.unkept === undefined) return ran.map(({ report }) => report)
          const names = unkept.map(
            ({ report: { exitCode, server } }) =>
              `${server} (${exitCode === null ? "its end is not known" : `it exited with ${exitCode}`})`,
          )
          return yield* unnoted(`it was run on ${names.join(", ")}`, first.unkept)
        }),
      })
    }),
  )
}

type Ended = Pick<RunReport, "exitCode" | "duration" | "error">

const interrupted = {
  exitCode: null,
  error: { reason: "timeout", message: "whoever ran it went away before it ended" },
} as const

type Outcome = RemoteResult & { readonly truncated: boolean }

/** `exec` runs a program by its name: what is a word of the shell's own is none. */
const attempt = (hosts: Hosts["Type"], server: ServerRow, argv: ReadonlyArray<string>, timeout: number) =>
  inTime(
    hosts,
    server,
    timeout,
    Effect.suspend(() => {
      const seen = { stdout: 0, stderr: 0 }
      return hosts
        .run(server, {
          script: 'exec "$@"',
          args: argv,
          timeout,
          maxOutput: most,
          onOutput: ({ data, stream }) =>
            Effect.sync(() => {
              seen[stream] += data.length
            }),
        })
        .pipe(Effect.map((result): Outcome => ({ ...result, truncated: Math.max(seen.stdout, seen.stderr) > most })))
    }),
  )

const reportOf = (
  { name: server }: ServerRow,
  ended: { readonly _tag: "Right"; readonly right: Outcome } | { readonly _tag: "Left"; readonly left: HostError },
  duration: number,
): RunReport => {
  if (ended._tag === "Right") return { server, ...ended.right, duration, error: null }
  const { left } = ended
  const reason = left._tag === "RemoteError" ? left.reason : "unreachable"
  const error = { reason, message: left.message }
  return { server, exitCode: null, stdout: "", stderr: "", truncated: false, duration, error }
}

type HostError = RemoteError | StorageError

const check = (argv: ReadonlyArray<string>): Effect.Effect<void, InvalidInput> => {
  const [program = ""] = argv
  // A shell's `exec` would take it for an option of its own.
  if (program !== "" && !program.startsWith("-")) return Effect.void
  return new InvalidInput({
    field: "",
    reason: `the command must begin with a program, not ${JSON.stringify(program)}`,
  })
}

const select = (models: Views, { all = false, names = [], tag }: Where) =>
  Effect.gen(function* () {
    const named = yield* findServers(models, names)
    const rest = (yield* models.servers.list()).filter(({ tags }) => all || (tag !== undefined && tags.includes(tag)))
    const servers = [...new Map([...named, ...rest].map((server) => [server.id, server])).values()]
    if (servers.length > 0) return servers.sort((a, b) => (a.name < b.name ? -1 : 1))
    return yield* new OperationFailed({
      operation: "run",
      message: tag === undefined ? "there is no server to run it on" : `no server is tagged ${tag}`,
      next: "see context infra server list",
    })
  })
