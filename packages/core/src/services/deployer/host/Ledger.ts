/** The ledger and the lock on the host of a service, as calls. */
import * as Effect from "effect/Effect"
import { Attendant } from "../../../Attendant.js"
import type { OperationFailed, RemoteError, StorageError } from "../../../Errors.js"
import * as Id from "../../../Id.js"
import { Origin } from "../../../Origin.js"
import { quote } from "../../../Shell.js"
import type { ServerRow } from "../../../views/servers.js"
import type { Hosts } from "../../Hosts.js"
import { cutShort, lostLock, nowhere, refusal, unusable } from "./refusals.js"
import {
  asState,
  commitOf,
  find,
  isId,
  type LockHolder,
  type RunState,
  type RunStatus,
  readHolder,
  readJson,
  readStatus,
  wordsOf,
} from "./replies.js"
import * as scripts from "./scripts.js"

/** A deployment on its host: where its ledger is. */
export interface Place {
  readonly server: ServerRow
  /** The service's name, as it was when the deployment began. */
  readonly service: string
  readonly id: string
}

export interface Preparation {
  readonly holder: Readonly<Record<string, string>>
  readonly takeOver: boolean
  /** A deployment whose lock goes over to this one. */
  readonly inherit: string | undefined
  /** What whoever finishes it needs to know. */
  readonly meta: Readonly<Record<string, unknown>>
  readonly projectPath: string | null
  readonly version: string | undefined
}

/** The lock is ours, and this is what is there; or it is somebody else's. */
export type Prepared =
  | {
      readonly _tag: "Ready"
      readonly counter: number
      readonly commit: string | undefined
      readonly wanted: string | undefined
    }
  | { readonly _tag: "Held"; readonly by: LockHolder }
  | { readonly _tag: "NoVersion" }

/** What is to run. All of it travels on standard input, so that nobody sees it in the host's list of processes. */
export interface Job {
  readonly projectPath: string | null
  readonly pre: string | undefined
  readonly command: string
  readonly post: string | undefined
  readonly env: Readonly<Record<string, string>>
  /** The same from the environment of whoever deploys: what they print of it is not kept. */
  readonly given: Readonly<Record<string, string>>
  /** Seconds. */
  readonly timeout: number
  /** Whether the lock is released when it is over, or kept for a check of its health. */
  readonly release: boolean
}

/** How following came to its end: with the run's, or because there is nothing to follow. */
export type Followed =
  | { readonly _tag: "Over"; readonly status: RunStatus }
  | { readonly _tag: "Gone"; readonly state: RunState }

export interface KnownRun {
  readonly id: string
  readonly state: RunState
  readonly status: RunStatus | undefined
  readonly meta: Readonly<Record<string, unknown>>
}

/** What to look for before a deployment. */
export interface Asked {
  readonly projectPath: string | null
  readonly version: string | undefined
  /** Whether the command brings what is newest at the origin. */
  readonly pulls: boolean
  /** A version to go back to. */
  readonly rollback: string | undefined
}

export interface Survey {
  readonly holder: LockHolder | undefined
  readonly commit: string | undefined
  readonly wanted: string | undefined
  readonly commits: ReadonlyArray<string> | undefined
  readonly backwards: boolean
  readonly rollback: boolean | undefined
  /** The project path cannot be entered. */
  readonly nowhere: boolean
  /** The version is neither there nor at the origin. */
  readonly missing: boolean
}

export type HostError = RemoteError | StorageError | OperationFailed

/** What a host replies, in lines, and who it says holds the lock. */
interface Answer {
  readonly lines: ReturnType<typeof wordsOf>
  readonly holder: LockHolder | undefined
}

/** Whether a program on a machine is known to have ended: on this one it can be. */
const isGone = Effect.map(
  Effect.all([Attendant, Origin]),
  ([attendant, origin]) =>
    (id: string, machine: string) =>
      machine === origin.machine && attendant.isGone(id) === true,
)

/** Longer than any deployment takes: the limit is kept on the host. */
const forever = 2 ** 31 - 1

export const makeLedger = (hosts: Hosts["Type"]) => {
  const call = (at: Place, script: string, args: ReadonlyArray<string>, timeout = 60_000) =>
    Effect.flatMap(hosts.run(at.server, { script, args: [at.service, at.id, ...args], timeout }), (result) =>
      result.exitCode === 0
        ? Effect.map(isGone, (gone): Answer => {
            const lines = wordsOf(result.stdout)
            return { lines, holder: readHolder(lines, gone) }
          })
        : Effect.fail(unusable(at, result.stderr.trim().split("\n")[0] ?? "")),
    )

  return {
    /** Takes the lock, opens the ledger and finds out which versions there are. Nothing of the service is touched. */
    prepare: (at: Place, asked: Preparation): Effect.Effect<Prepared, HostError> =>
      Effect.flatMap(
        call(
          at,
          scripts.prepare,
          [
            JSON.stringify(asked.holder),
            asked.takeOver ? "1" : "",
            asked.inherit ?? "",
            JSON.stringify(asked.meta),
            asked.projectPath ?? "",
            asked.version ?? "",
          ],
          120_000,
        ),
        ({ holder: by, lines }): Effect.Effect<Prepared, OperationFailed> => {
          if (by !== undefined) return Effect.succeed({ _tag: "Held", by })
          const refused = find(lines, "refused")
          if (refused !== undefined) return refusal(at, refused)
          if (find(lines, "missing") !== undefined) return Effect.succeed({ _tag: "NoVersion" })
          if (find(lines, "nowhere") !== undefined) return nowhere(at, asked.projectPath)
          if (find(lines, "ready") === undefined) return unusable(at, "its reply was cut")
          const commit = commitOf(find(lines, "commit"))
          const wanted = commitOf(find(lines, "wanted"))
          return Effect.succeed({ _tag: "Ready", counter: Number(find(lines, "locked")), commit, wanted })
        },
      ),

    /**
     * Starts the job unless it was started before, and follows what it prints from byte `offset` on. Without a job it only
     * follows. A connection that breaks is an error; the job goes on, and whoever calls again goes on with it.
     */
    follow: (
      at: Place,
      job: Job | undefined,
      offset: number,
      onOutput: (bytes: Uint8Array) => Effect.Effect<void>,
    ): Effect.Effect<Followed, HostError> =>
      Effect.gen(function* () {
        const token = `deploy-${yield* Id.make}`
        let told = ""
        const args = [job?.projectPath ?? "", String(job?.timeout ?? 0), job?.release ? "1" : ""]
        const result = yield* hosts.run(at.server, {
          script: scripts.follow,
          args: [at.service, at.id, token, job === undefined ? "attach" : "start", String(offset), ...args],
          timeout: forever,
          maxOutput: 0,
          detach: true,
          ...(job === undefined ? {} : { input: inputOf(job, token) }),
          onOutput: ({ data, stream }) => {
            if (stream === "stdout") return onOutput(data)
            // Whatever else a login says on stderr is not kept for long.
            told = (told + new TextDecoder().decode(data)).slice(-4096)
            return Effect.void
          },
        })
        const words = told.split("\n").filter((line) => line.startsWith(`${token} `))
        const last = words[words.length - 1]?.slice(token.length + 1).trim() ?? ""
        const status = readStatus(last)
        if (status !== undefined) return { _tag: "Over", status } as const
        if (last === "unlocked") return yield* lostLock(at)
        if (last.startsWith("refused ")) return yield* refusal(at, last.slice("refused ".length))
        // Whoever cancels a run ends those who follow it, too, where sessions cannot be told apart.
        if (result.exitCode !== 0 || last === "" || last === "alive") return yield* cutShort(at, result.stderr)
        return { _tag: "Gone", state: asState(last) } as const
      }),

    /** Looks at the lock and at some runs, or at the newest; changes nothing. */
    inspect: (server: ServerRow, service: string, ids: ReadonlyArray<string> = []) =>
      Effect.map(call({ server, service, id: "-" }, scripts.inspect, ids, 20_000), ({ holder, lines }) => ({
        holder,
        runs: lines.flatMap(([word, rest], index): ReadonlyArray<KnownRun> => {
          if (word !== "run") return []
          const [id = "", state = ""] = rest.split(" ")
          const status = readStatus(rest.slice(id.length + state.length + 2))
          const [next, meta] = lines[index + 1] ?? ["", ""]
          return isId(id) ? [{ id, state: asState(state), status, meta: readJson(next === "meta" ? meta : "") }] : []
        }),
      })),

    /** Looks at what a deployment would find; changes nothing. */
    survey: (server: ServerRow, service: string, asked: Asked): Effect.Effect<Survey, HostError> =>
      Effect.map(
        call(
          { server, service, id: "-" },
          scripts.survey,
          [asked.projectPath ?? "", asked.version ?? "", asked.pulls ? "1" : "", asked.rollback ?? ""],
          120_000,
        ),
        ({ holder, lines }) => {
          const has = (word: string) => find(lines, word) !== undefined
          const rollback = find(lines, "rollback")
          return {
            holder,
            commit: commitOf(find(lines, "commit")),
            wanted: commitOf(find(lines, "wanted")),
            commits: has("listed") ? lines.filter(([word]) => word === "log").map(([, text]) => text) : undefined,
            backwards: has("backwards"),
            rollback: rollback === undefined ? undefined : rollback === "yes",
            nowhere: has("nowhere"),
            missing: has("missing"),
          }
        },
      ),

    /** Ends a run and all its processes; gives what became of it. */
    cancel: (at: Place, by: string): Effect.Effect<RunState, HostError> =>
      Effect.map(call(at, scripts.cancel, [by.replaceAll(/\s+/g, " ").slice(0, 200)], 60_000), ({ lines: [last] }) =>
        asState(last?.[0] ?? ""),
      ),

    /** Takes the lock by hand: gives its counter, or who has it. */
    lock: (
      server: ServerRow,
      service: string,
      { holder, inherit, takeOver }: Pick<Preparation, "holder" | "inherit" | "takeOver">,
    ) =>
      Effect.flatMap(
        call({ server, service, id: "-" }, scripts.lock, [JSON.stringify(holder), takeOver ? "1" : "", inherit ?? ""]),
        ({ holder: by, lines }): Effect.Effect<number | LockHolder, OperationFailed> => {
          const refused = find(lines, "refused")
          if (refused !== undefined) return refusal({ server, service, id: "" }, refused)
          return Effect.succeed(by ?? Number(find(lines, "locked")))
        },
      ),

    /** Releases the lock of a deployment, or the one held by hand: whether it did, or who has it. */
    unlock: (server: ServerRow, service: string, deploymentId: string | undefined) =>
      Effect.map(
        call({ server, service, id: "-" }, scripts.unlock, [deploymentId ?? "-"]),
        ({ holder, lines }): boolean | LockHolder => holder ?? find(lines, "released") !== undefined,
      ),
  }
}

export type Ledger = ReturnType<typeof makeLedger>

const inputOf = ({ command, env, given, post = "", pre = "" }: Job, token: string): string =>
  [
    `pre=${quote(pre)}`,
    `command=${quote(command)}`,
    `post=${quote(post)}`,
    token,
    ...Object.entries({ ...given, ...env }).map(([name, value]) => `export ${name}=${quote(value)}`),
    token,
    "",
  ].join("\n")
