/** An audit by replay: who changed a server and how, and what the registry looked like before each change. */
import { EventLog, layerAsOf, Registry, streamOf } from "@context-engine/core"
import { entity } from "@context-engine/core/domain/Server"
import { layer } from "@context-engine/store"
import { Effect, Layer } from "effect"

/** One change, with the server as it was before and after it. */
export interface Change {
  readonly position: number
  readonly when: string
  readonly who: string
  readonly what: string
  readonly before: unknown
  readonly after: unknown
}

/** The registry as of a position of the log. It answers as the live one does. */
const serverAt = (position: number, name: string) =>
  Effect.flatMap(Registry, (registry) => registry.servers.get(name)).pipe(
    Effect.provide(Layer.provide(Registry.layer, layerAsOf(String(position)))),
    Effect.catchTag("NotFound", () => Effect.succeed(null)),
  )

export const main = (path: string, name: string) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const server = yield* Effect.flatMap(Registry, (registry) => registry.servers.get(name))
    const events = yield* log.read(streamOf(entity.aggregate, server.id))
    return yield* Effect.forEach(events, (event) =>
      Effect.gen(function* () {
        const change: Change = {
          position: event.position,
          when: event.recordedAt,
          who: `${event.meta.actor} via ${event.meta.via} on ${event.meta.machine}`,
          what: event.type,
          before: yield* serverAt(event.position - 1, name),
          after: yield* serverAt(event.position, name),
        }
        return change
      }),
    )
  }).pipe(Effect.provide(Registry.layer), Effect.provide(layer(path)))

const [, , path, name] = process.argv
if (path !== undefined && name !== undefined) console.dir(await Effect.runPromise(main(path, name)), { depth: 4 })
