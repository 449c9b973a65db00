/** The process that owns a replica: started when it is first needed, ended with the scope. */
import { type ChildProcess, spawn } from "node:child_process"
import { createRequire } from "node:module"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { makeDirectory } from "../../files.js"
import { type Endpoint, withoutSecrets } from "../endpoint.js"
import type { Rows, Statement } from "../protocol.js"
import { script } from "./script.js"

/** `busy`: another process of this machine owns it. `slow`: no answer in time. `broken`: anything else. */
export class ReplicaError extends Data.TaggedError("ReplicaError")<{
  readonly reason: "busy" | "slow" | "broken"
  readonly message: string
}> {}

type Request =
  | { readonly way: "sync" | "wipe" }
  | { readonly way: "read"; readonly statements: ReadonlyArray<Statement> }
  | { readonly way: "begin"; readonly [field: string]: string }

type Answer = { readonly results?: ReadonlyArray<Rows> | null; readonly error?: string; readonly busy?: boolean }

/** One such process. Requests are answered one after the other. */
export interface ReplicaProcess {
  readonly ask: (request: Request) => Effect.Effect<Answer, ReplicaError>
  readonly end: () => void
}

/** Starts it, for the replica in a directory that is made if there is none. */
export const startReplica = (
  directory: string,
  endpoint: Endpoint,
  deadline: Duration.DurationInput,
): Effect.Effect<ReplicaProcess, ReplicaError> =>
  Effect.gen(function* () {
    const child = yield* Effect.try({
      try: () => {
        makeDirectory(directory)
        return launch()
      },
      catch: (error) => new ReplicaError({ reason: "broken", message: String((error as Error).message) }),
    })
    const started = talk(child, endpoint, deadline)
    const { token, url } = endpoint
    const given = { url, token: token === undefined ? "" : Redacted.value(token), directory }
    yield* Effect.tapError(started.ask({ way: "begin", ...given, lock: join(directory, "lock") }), () =>
      Effect.sync(started.end),
    )
    return started
  })

const launch = (): ChildProcess => {
  const driver = createRequire(import.meta.url).resolve("libsql")
  const { TURSO_AUTH_TOKEN: _, ...env } = process.env
  const child = spawn(process.execPath, ["-e", script, driver], { stdio: ["pipe", "ignore", "ignore", "pipe"], env })
  // What is written to one that is gone is answered by its end.
  child.stdin?.on("error", () => {})
  return child
}

const talk = (child: ChildProcess, endpoint: Endpoint, deadline: Duration.DurationInput): ReplicaProcess => {
  let gone: ReplicaError | undefined
  let waiting: ((answered: Effect.Effect<Answer, ReplicaError>) => void) | undefined
  const settle = (answered: Effect.Effect<Answer, ReplicaError>) => {
    waiting?.(answered)
    waiting = undefined
  }
  const broken = (message: string) =>
    new ReplicaError({ reason: "broken", message: withoutSecrets(message, endpoint).slice(0, 300) })
  const ended = (how: string) => {
    gone ??= broken(how)
    settle(gone)
  }
  child.once("error", (error) => ended(`its process could not be started: ${error.message}`))
  child.once("exit", (code, signal) => ended(`its process ended (${signal ?? code})`))
  createInterface({ input: child.stdio[3] as Readable }).on("line", (line) => {
    const answer: Answer = JSON.parse(line)
    if (answer.error === undefined) return settle(Effect.succeed(answer))
    settle(answer.busy ? new ReplicaError({ reason: "busy", message: "another process has it" }) : broken(answer.error))
  })
  const end = () => void child.kill("SIGKILL")
  /** An answer that nobody waits for any more would be taken for the next one's. */
  const giveUp = Effect.sync(() => {
    gone ??= new ReplicaError({ reason: "slow", message: `no answer within ${Duration.format(deadline)}` })
    waiting = undefined
    end()
  })
  const ask = (request: Request) =>
    Effect.async<Answer, ReplicaError>((resume) => {
      if (gone !== undefined) return resume(gone)
      waiting = resume
      child.stdin?.write(`${JSON.stringify(request)}\n`)
      return giveUp
    }).pipe(Effect.timeoutFail({ duration: deadline, onTimeout: () => gone as ReplicaError }))
  return { ask, end }
}
