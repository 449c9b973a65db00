// Appends in a checkout's own built packages, in turns that the parent gives: `node worker.mjs <checkout> <file> <what>`.
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

const [checkout, path, what] = process.argv.slice(2)
const resolve = createRequire(join(checkout, "packages/store/package.json")).resolve
const load = (file) => import(pathToFileURL(file).href)
const [effect, { Commands }, { layer }, service, { Origin }] = await Promise.all([
  load(join(resolve("effect/package.json"), "../dist/esm/index.js")),
  load(join(checkout, "packages/core/dist/Commands.js")),
  load(join(checkout, "packages/store/dist/layer.js")),
  load(join(checkout, "packages/core/dist/domain/Service.js")),
  load(join(checkout, "packages/core/dist/Origin.js")),
])
const { Effect, Layer, ManagedRuntime } = effect
const runtime = ManagedRuntime.make(
  Layer.merge(
    layer(path, { keyPath: `${path}.key` }),
    Layer.succeed(Origin, { actor: "bench", via: "library", machine: "bench" }),
  ),
)
const at = "2026-01-01T00:00:00.000Z"
const id = (n) => `01900000-0000-7000-8000-${String(n).padStart(12, "0")}`
const check = service.HealthChecked({ service: "api", server: "s", serverId: id(1), status: "healthy", previous: "healthy", detail: "200 in 5 ms", latency: 5, at }) // biome-ignore format: one event

const append = (count) =>
  Effect.flatMap(Commands, ({ record }) =>
    Effect.repeatN(record(service.entity.aggregate, id(2), Array(what === "batch" ? 100 : 1).fill(check)), count - 1),
  )

await runtime.runPromise(append(5))
process.on("message", async (count) => {
  const started = performance.now()
  await runtime.runPromise(append(count))
  process.send(performance.now() - started)
})
process.send("ready")
