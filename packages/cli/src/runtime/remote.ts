/**
 * `CONTEXT_SYNC=remote`: a command works on a temporary copy of the shared log, and is done when the shared log has what it wrote.
 *
 * The copy is a machine's whole log like any other; only it goes with the command.
 */
import type { SyncError } from "@context-engine/core/Errors"
import { type Rejected, Sync } from "@context-engine/core/services/Sync"
import { withoutFile } from "@context-engine/core/services/sync/wayOut"
import { push, writeThrough } from "@context-engine/store/sync/writeThrough"
import { isKeyLine } from "@context-engine/store/trust/keys"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { progress, say } from "../terminal.js"
import { Refused, UsageError } from "../usage.js"
import { walked } from "../walk.js"
import { machineKey } from "./key.js"
import { checkSettings, isPast, type LogOptions } from "./log.js"
import { runAlone, type Store } from "./store.js"
import { endpoint, syncLayer } from "./syncLayer.js"
import { temporaryLog } from "./temporary.js"

/** Runs with services over the shared log, as it is when the command begins. */
export const runRemote = <A, E, S>(
  options: LogOptions,
  services: Layer.Layer<S, unknown, Store>,
  effect: Effect.Effect<A, E, S | Store>,
): Effect.Effect<A, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* checkSettings
      if (options.db !== undefined) {
        const message = "--db names a file, and with CONTEXT_SYNC=remote there is none"
        return yield* new UsageError({ message, see: "context infra sync status --help" })
      }
      const { db, sync } = yield* copy
      const here = { ...options, db }
      yield* progress("reading the shared log")(runAlone({ db }, sync, fetch))
      yield* runAlone({ db: here.db }, sync, tellOfRoots)
      if (isPast(here)) return yield* runAlone(here, services, effect)
      const rejected: Array<Rejected> = []
      const reject = (one: Rejected) => void rejected.push(one)
      const shared = services.pipe(Layer.provideMerge(writeThrough(reject)), Layer.provideMerge(sync))
      const last = Effect.catchTag(push(reject), "SyncError", lost)
      return yield* runAlone(here, shared, settled(effect, Effect.zipRight(last, settle(rejected))))
    }),
  ).pipe(
    Effect.mapError((error) =>
      isSyncError(error) ? new Refused({ message: plainly(error), next: nextAfter(error) }) : error,
    ),
  )

/** What a command itself has from the shared log, as `sync now` does. */
const isSyncError = (error: unknown): error is SyncError => (error as SyncError)._tag === "SyncError"

/** Nobody's log yet, with the connection of the log which it stands for. */
const copy = Effect.gen(function* () {
  const db = yield* temporaryLog
  return { db, sync: syncLayer({ db }, endpoint(undefined)) }
})

/** The path of a copy of the shared log as it is now, for the life of a scope. */
export const copied = Effect.gen(function* () {
  const { db, sync } = yield* copy
  yield* runAlone({ db }, sync, read)
  return db
})

/** A job that keeps nothing takes the first root for the right one, and nobody is asked. */
const tellOfRoots = Effect.flatMap(Sync, (sync) =>
  Effect.flatMap(sync.status, ({ roots }) =>
    Effect.forEach(roots, ({ fingerprint, name, position }) =>
      say(
        `! ${name} (${fingerprint}) began another root of the log at position ${position}: if it is the right one, what is shown here is not. A key of its machines, in CONTEXT_KEY, settles that: context infra machine add <name>`,
      ),
    ),
  ),
)

const read = Effect.flatMap(Sync, (sync) =>
  Effect.catchTag(
    sync.now({ onProgress: walked("reading the shared log"), reading: true }),
    "SyncError",
    // All of it was read: who may not write may look, and is told when something is to be pushed.
    (error) => (error.reason === "not-enrolled" || error.reason === "no-root" ? Effect.void : error),
  ),
)

const fetch = Effect.catchTag(
  read,
  "SyncError",
  (error) => new Refused({ message: `${plainly(error)}. Nothing was done`, next: nextAfter(error) }),
)

/** However it ends, it ends when all that it wrote is in the shared log, or is known not to be. */
const settled = <A, E, R, S>(effect: Effect.Effect<A, E, R>, last: Effect.Effect<void, unknown, S>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const ended = yield* Effect.exit(restore(effect))
      const pushed = yield* Effect.exit(last)
      if (Exit.isSuccess(pushed) || Exit.isSuccess(ended)) return yield* Effect.zipRight(pushed, ended)
      // How the command ended is the news; that it is not in the shared log goes before it.
      yield* Effect.catchAll(pushed, (error) => say(`not in the shared log: ${messageOf(error)}`))
      return yield* ended
    }),
  )

/** Fails unless all that was written is in the shared log, and stands. */
const settle = (rejected: ReadonlyArray<Rejected>) =>
  Effect.gen(function* () {
    const refused = rejected.find(({ outcome }) => outcome === "refused")
    if (refused !== undefined) {
      const message = `${refused.what}: ${refused.reason}. Others were faster; the shared log has it as refused, and nothing was kept here`
      return yield* new Refused({
        message,
        next: `see context infra sync rejected, and give it again if it is still wanted`,
      })
    }
    const { pending, unknown } = yield* (yield* Sync).status
    if (pending === 0) return
    const message = `nothing was pushed, and nothing was kept here: the shared log has events of a newer context (${unknown.join(", ")})`
    return yield* new Refused({ message, next: "upgrade this one" })
  })

const lost = (error: SyncError) =>
  new Refused({
    message: `it is not in the shared log, and nothing was kept here: ${plainly(error)}`,
    next: nextAfter(error),
  })

export const plainly = ({ message }: SyncError): string => withoutFile(message)

/** What leads on where nothing is kept. */
export const nextAfter = ({ reason }: SyncError): string => {
  switch (reason) {
    case "not-connected":
    case "unauthorised":
    case "read-only":
      return `set TURSO_URL and TURSO_AUTH_TOKEN${orAlone()}`
    case "newer-schema":
      return "upgrade this context"
    case "reset":
    case "rolled-back":
      return "context infra sync heal, on a machine that has the log"
    case "no-root":
      return "context infra machine root, on the machine that is to say who may write"
    case "not-enrolled":
      return "a job that keeps no home is enrolled by a key of its own: context infra machine add <name>, and the line in CONTEXT_KEY"
    default:
      return `try again${orAlone()}`
  }
}

/** The key of a job is for no log but the shared one. */
const orAlone = (): string =>
  isKeyLine(machineKey().keyPath ?? "") ? "" : ", or leave CONTEXT_SYNC=remote out to work on this machine's file"

const messageOf = (error: unknown): string => (error as { readonly message?: string }).message ?? String(error)
