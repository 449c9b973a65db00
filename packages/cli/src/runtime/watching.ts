/** Behind `sync watch`: one watcher after another, each with the address and the token that are kept then. */
import { SyncError } from "@context-engine/core/Errors"
import type { Endpoint } from "@context-engine/store/sync/endpoint"
import { type Options, watch as watchLog } from "@context-engine/store/sync/watch"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { LogOptions } from "./log.js"
import { runAlone } from "./store.js"
import { endpoint, syncLayer } from "./syncLayer.js"

/** Watches until it is interrupted or idle, or the shared log is left, or whoever started it as a part of itself is gone. */
export const watch = (log: LogOptions, options: Options): Effect.Effect<void, unknown> =>
  Effect.raceFirst(
    Effect.gen(function* () {
      while (true) {
        const known = yield* endpoint(log.db)
        if (known === undefined) return yield* notConnected
        const watching = Effect.as(runAlone({ ...log, mayBeGone: true }, syncLayer(log), watchLog(options)), "over")
        if ((yield* Effect.raceFirst(watching, changed(log, known))) === "over") return
      }
    }),
    orphaned,
  )

const notConnected = Effect.suspend(() => {
  const message = "no shared log is configured; run context infra sync connect <url>"
  return new SyncError({ reason: "not-connected", message })
})

/** Waits until another address or token is kept, or none. What cannot be read now is looked at again. */
const changed = ({ db }: LogOptions, known: Endpoint): Effect.Effect<"changed"> =>
  Effect.gen(function* () {
    while (true) {
      yield* Effect.sleep("1 second")
      const now = yield* Effect.orElseSucceed(endpoint(db), () => known)
      if (now === undefined || now.url !== known.url || secretOf(now) !== secretOf(known)) return "changed" as const
    }
  })

const secretOf = ({ token }: Endpoint): string | undefined => token && Redacted.value(token)

/** A server that is killed cannot end this process; but the channel to it closes. */
const orphaned = Effect.async<void>((resume) => {
  if (process.channel === undefined) return
  // It was killed while this process was still starting, when nobody heard of it.
  if (!process.connected) return resume(Effect.void)
  const gone = () => resume(Effect.void)
  process.once("disconnect", gone)
  return Effect.sync(() => void process.removeListener("disconnect", gone))
})
