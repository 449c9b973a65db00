/** Behind `withOperations`: everything that reaches out to hosts. */

import { HostKeyPrompt, type Remote } from "@context-engine/core/Remote"
import * as Any from "@context-engine/core/Remote/Any"
import { Fleet } from "@context-engine/core/services/Fleet"
import { Health } from "@context-engine/core/services/Health"
import { Hosts } from "@context-engine/core/services/Hosts"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { hostKeyPrompt } from "./hostKeys.js"
import { type HostOptions, logIsThere } from "./log.js"
import { run } from "./run.js"

export interface Operations {
  readonly registry: Registry["Type"]
  readonly hosts: Hosts["Type"]
  readonly fleet: Fleet["Type"]
  readonly health: Health["Type"]
}

/** The hosts, over any driver, and what is asked of them. */
export const services = Layer.mergeAll(Fleet.layer, Health.layer, Registry.layer).pipe(
  Layer.provideMerge(Hosts.layer),
  Layer.provideMerge(Any.layer as Layer.Layer<Remote>),
)

export const open = <A>(options: HostOptions, use: (operations: Operations) => Effect.Effect<A, unknown>) =>
  Effect.zipRight(
    logIsThere(options.db),
    run(
      options,
      services,
      Effect.flatMap(Effect.all({ registry: Registry, hosts: Hosts, fleet: Fleet, health: Health }), use).pipe(
        Effect.provideService(HostKeyPrompt, hostKeyPrompt(options.acceptHostKey)),
      ),
    ),
  )
