/** Remote for every kind of target. SSH is loaded when the first target needs it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Remote, type Target } from "../Remote.js"
import * as Local from "./Local.js"
import type { Ssh2Options } from "./Ssh2.js"

/** Remote for `Local` and `Ssh` targets. The connections live as long as the scope. */
export const make = (options: Ssh2Options = {}): Effect.Effect<Remote["Type"], never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const load = Effect.promise(() => import("./Ssh2.js")).pipe(
      Effect.flatMap((Ssh2) => Ssh2.make(options)),
      Scope.extend(scope),
    )
    // Uninterruptible: what the first caller starts is kept for all.
    const ssh = yield* Effect.cached(Effect.uninterruptible(load))
    const driver = (target: Target) => (target._tag === "Local" ? Effect.succeed(Local.make) : ssh)
    return {
      run: (target, command) => Effect.flatMap(driver(target), (remote) => remote.run(target, command)),
      get: (target, request) => Effect.flatMap(driver(target), (remote) => remote.get(target, request)),
      unknownHostKey: (target) => Effect.flatMap(driver(target), (remote) => remote.unknownHostKey(target)),
    }
  })

/** Provides Remote for all targets, with options for the SSH half. */
export const layerWith = (options: Ssh2Options): Layer.Layer<Remote> => Layer.scoped(Remote, make(options))

/** `layerWith` the defaults. */
export const layer: Layer.Layer<Remote> = layerWith({})
