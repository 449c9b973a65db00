import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Deployer, layerServices, Registry } from "@context-engine/core"
import * as Remote from "@context-engine/core/Remote/Any"
import { serve } from "@context-engine/http/serve"
import { layer } from "@context-engine/store"
import { Deferred, Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { freshPath } from "../../packages/store/test/support/files.js"
import { main as audit } from "../audit/main.js"
import { main as library } from "../library/main.js"
import { main as projection } from "../projection/main.js"

const live = (path: string) => layerServices.pipe(Layer.provideMerge(Layer.merge(layer(path), Remote.layer)))

/** This machine with a service whose deploy does what it is told. */
const withService = (path: string, deployCommand: string) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    yield* registry.servers.add({ name: "here", local: true })
    yield* registry.services.add({ name: "api", server: "here", deployCommand })
  }).pipe(Effect.provide(live(path)), Effect.runPromise)

describe("examples", () => {
  it("library: registers a fleet once, and knows what hangs on what", async () => {
    const path = freshPath()
    for (const _ of [1, 2]) {
      const { hit, overview } = await Effect.runPromise(library(path))
      expect(hit).toEqual(["hetzner/api"])
      expect(overview.servers.map((server) => server.services.map((service) => service.name))).toEqual([
        ["api", "postgres"],
      ])
    }
  })

  it("projection: counts deployments and failures", async () => {
    const path = freshPath()
    await withService(path, "true")
    const deploys = Effect.gen(function* () {
      const deployer = yield* Deployer
      yield* deployer.deploy("api")
      yield* (yield* Registry).services.update("api", { deployCommand: "false" })
      yield* deployer.deploy("api")
    })
    await Effect.runPromise(Effect.provide(deploys, live(path)))
    expect(await Effect.runPromise(projection(path))).toMatchObject([{ service: "api", deploys: 2, failures: 1 }])
  })

  it("audit: shows who changed what, with the server before and after", async () => {
    const path = freshPath()
    const changes = Effect.gen(function* () {
      const registry = yield* Registry
      yield* registry.servers.add({ name: "alpha" })
      yield* registry.servers.update("alpha", { role: "staging" })
    })
    await Effect.runPromise(Effect.provide(changes, live(path)))
    const [added, updated] = await Effect.runPromise(audit(path, "alpha"))
    expect(added).toMatchObject({ what: "ServerAdded", before: null, after: { role: null } })
    expect(updated).toMatchObject({ what: "ServerUpdated", before: { role: null }, after: { role: "staging" } })
  })

  it("ci: deploys with curl, and fails when the deployment does", async () => {
    const path = freshPath()
    await withService(path, 'test "${CONTEXT_VERSION:-none}" != v2')
    const token = "a-token-for-the-example"
    const story = Effect.gen(function* () {
      const url = yield* Deferred.make<string>()
      yield* Effect.forkScoped(
        serve({ db: path, port: 0, token, onListen: (at) => Effect.asVoid(Deferred.succeed(url, at)) }),
      )
      const CONTEXT_URL = yield* Deferred.await(url)
      return [
        yield* deploySh({ CONTEXT_URL, CONTEXT_TOKEN: token }, "api", "v1"),
        yield* deploySh({ CONTEXT_URL, CONTEXT_TOKEN: token }, "api", "v2"),
        yield* deploySh({ CONTEXT_URL, CONTEXT_TOKEN: "wrong" }, "api", "v1"),
      ]
    })
    expect(await Effect.runPromise(Effect.scoped(story))).toEqual([0, 1, 1])
  })
})

/** Runs the CI script; gives its exit status. */
const deploySh = (env: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) =>
  Effect.async<number>((resume) => {
    const script = fileURLToPath(new URL("../ci/deploy.sh", import.meta.url))
    const options = { env: { ...process.env, ...env } }
    execFile("sh", [script, ...args], options, (error) =>
      resume(Effect.succeed(error === null ? 0 : Number(error.code))),
    )
  })
