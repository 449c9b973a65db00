/** Behind `withDiscovery`: finding out what there is, on servers and in ssh's configuration. */
import { HostKeyPrompt } from "@context-engine/core/Remote"
import { Scanner } from "@context-engine/core/services/Scanner"
import { ServerImport } from "@context-engine/core/services/ServerImport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { hostKeyPrompt } from "./hostKeys.js"
import type { HostOptions } from "./log.js"
import { services } from "./operations.js"
import { run } from "./run.js"

export interface Discovery {
  readonly scanner: Scanner["Type"]
  readonly imports: ServerImport["Type"]
}

export const open = <A>(options: HostOptions, use: (discovery: Discovery) => Effect.Effect<A, unknown>) =>
  run(
    options,
    Layer.merge(Scanner.layer, ServerImport.layer).pipe(Layer.provideMerge(services)),
    Effect.flatMap(Effect.all({ scanner: Scanner, imports: ServerImport }), use).pipe(
      Effect.provideService(HostKeyPrompt, hostKeyPrompt(options.acceptHostKey)),
    ),
  )
