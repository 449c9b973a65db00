/** Context Infra as a library: register a fleet in a file of your own, and ask it. Run: `npx tsx library/main.ts my.db` */
import { layerServices, Origin, Overview, Registry } from "@context-engine/core"
import * as Remote from "@context-engine/core/Remote/Any"
import { layer } from "@context-engine/store"
import { Console, Effect, Layer } from "effect"

/** Everything the services need: a log in a file, and a way to reach hosts. */
const live = (path: string) => layerServices.pipe(Layer.provideMerge(Layer.merge(layer(path), Remote.layer)))

/** Registers two servers and what runs on them, once: what is there already stays as it is. */
const register = Effect.gen(function* () {
  const registry = yield* Registry
  const known = new Set((yield* registry.servers.list()).map((server) => server.name))
  if (known.has("hetzner")) return
  yield* registry.servers.add({ name: "hetzner", ipAddresses: ["203.0.113.7"], role: "production" })
  yield* registry.services.add({ name: "postgres", server: "hetzner", type: "database", port: 5432 })
  yield* registry.services.add({ name: "api", server: "hetzner", type: "app", port: 3000, healthEndpoint: "/health" })
  yield* registry.dependencies.add({ service: "api", on: "postgres", connectionStringEnv: "DATABASE_URL" })
})

/** What would be hit if a service went away. */
const dependents = (service: string) =>
  Effect.flatMap(Registry, (registry) =>
    Effect.map(registry.dependencies.list({ service, reverse: true }), (rows) => rows.map((row) => row.service)),
  )

export const main = (path: string) =>
  Effect.gen(function* () {
    yield* register
    const overview = yield* Effect.flatMap(Overview, (service) => service.status)
    for (const server of overview.servers) {
      yield* Console.log(`${server.name} (${server.role}): ${server.services.map((one) => one.name).join(", ")}`)
    }
    const hit = yield* dependents("postgres")
    yield* Console.log(`without postgres: no ${hit.join(", ")}`)
    return { overview, hit }
  }).pipe(
    Effect.provide(live(path)),
    // Every event says who did it, and through which door.
    Effect.provideService(Origin, { actor: "example", via: "library", machine: "laptop" }),
  )

const path = process.argv[2]
if (path !== undefined) await Effect.runPromise(main(path))
