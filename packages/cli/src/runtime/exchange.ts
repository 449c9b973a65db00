/** Behind `withExchange`: what brings this machine's log and the shared one together itself, so that nothing is to be done behind it. */
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { type LogOptions, syncMode } from "./log.js"
import { runAlone } from "./store.js"
import { syncLayer } from "./syncLayer.js"

export const open = <A>(options: LogOptions, use: (sync: Sync["Type"]) => Effect.Effect<A, unknown>) => {
  const asked = Effect.flatMap(Sync, use)
  if (syncMode() !== "remote") return runAlone({ ...options, mayBeGone: true }, syncLayer(options), asked)
  return Effect.flatMap(
    Effect.promise(() => import("./remote.js")),
    ({ runRemote }) => runRemote(options, syncLayer(options), asked),
  )
}
