/** Behind `withRunning`: what is done by hand to what runs. */
import { HostKeyPrompt } from "@context-engine/core/Remote"
import { Lifecycle } from "@context-engine/core/services/Lifecycle"
import { Logs } from "@context-engine/core/services/Logs"
import { RunCommand } from "@context-engine/core/services/RunCommand"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { hostKeyPrompt } from "./hostKeys.js"
import { type HostOptions, logIsThere } from "./log.js"
import { services } from "./operations.js"
import { run } from "./run.js"

export interface Running {
  readonly logs: Logs["Type"]
  readonly lifecycle: Lifecycle["Type"]
  readonly commands: RunCommand["Type"]
}

export const open = <A>(options: HostOptions, use: (running: Running) => Effect.Effect<A, unknown>) =>
  Effect.zipRight(
    logIsThere(options.db),
    run(
      options,
      Layer.mergeAll(Logs.layer, Lifecycle.layer, RunCommand.layer).pipe(Layer.provideMerge(services)),
      Effect.flatMap(Effect.all({ logs: Logs, lifecycle: Lifecycle, commands: RunCommand }), use).pipe(
        Effect.provideService(HostKeyPrompt, hostKeyPrompt(options.acceptHostKey)),
      ),
    ),
  )
