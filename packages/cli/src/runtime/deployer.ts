/** Behind `withDeployer`. */
import { HostKeyPrompt } from "@context-engine/core/Remote"
import { Deployer } from "@context-engine/core/services/Deployer"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { hostKeyPrompt } from "./hostKeys.js"
import { type HostOptions, logIsThere } from "./log.js"
import { services } from "./operations.js"
import { run } from "./run.js"

export const open = <A>(
  options: HostOptions,
  use: (deployer: Deployer["Type"], registry: Registry["Type"]) => Effect.Effect<A, unknown>,
) =>
  Effect.zipRight(
    logIsThere(options.db),
    run(
      options,
      Deployer.layer.pipe(Layer.provideMerge(services)),
      Effect.flatMap(Effect.all([Deployer, Registry]), ([deployer, registry]) => use(deployer, registry)).pipe(
        Effect.provideService(HostKeyPrompt, hostKeyPrompt(options.acceptHostKey)),
      ),
    ),
  )
