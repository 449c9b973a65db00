/**
 * What there is: servers, services, routes, dependencies, secrets and the timeline people write.
 *
 * It speaks in the names people use, decodes what it is given, and answers with rows as they are afterwards.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Commands } from "../Commands.js"
import { EventLog } from "../EventLog.js"
import { ReadModels } from "../ReadModels.js"
import { makeDependencies } from "./registry/dependencies.js"
import { makeEntries } from "./registry/entries.js"
import { makeRoutes } from "./registry/routes.js"
import { makeSecrets } from "./registry/secrets.js"
import { makeServers } from "./registry/servers.js"
import { makeServices } from "./registry/services.js"

export class Registry extends Context.Tag("@context-engine/core/Registry")<
  Registry,
  {
    readonly servers: ReturnType<typeof makeServers>
    readonly services: ReturnType<typeof makeServices>
    readonly routes: ReturnType<typeof makeRoutes>
    readonly dependencies: ReturnType<typeof makeDependencies>
    readonly secrets: ReturnType<typeof makeSecrets>
    readonly timeline: ReturnType<typeof makeEntries>
  }
>() {
  static readonly layer = Layer.effect(
    Registry,
    Effect.gen(function* () {
      const models = yield* ReadModels
      const commands = yield* Commands
      const log = yield* EventLog
      return Registry.of({
        servers: makeServers(models, commands),
        services: makeServices(models, commands),
        routes: makeRoutes(models, commands),
        dependencies: makeDependencies(models, commands),
        secrets: makeSecrets(models, commands),
        timeline: makeEntries(models, commands, log),
      })
    }),
  )
}
