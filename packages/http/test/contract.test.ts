/** The contract itself: the OpenAPI document, the page of documentation and the typed client. */
import { NotFound } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { Unauthorized } from "../src/api/errors.js"
import { make } from "../src/client.js"
import { testServer, token } from "./support.js"

const server = testServer()

const crud = (name: string, one: string) => [
  `get /v1/${name}`,
  `post /v1/${name}`,
  `get /v1/${name}/${one}`,
  `patch /v1/${name}/${one}`,
  `delete /v1/${name}/${one}`,
]

const operations = [
  "get /healthz",
  "get /v1/status",
  "get /v1/alerts",
  "get /v1/sync",
  "get /v1/sync/rejections",
  "get /v1/machines",
  "post /v1/machines",
  "post /v1/machines/invites",
  "delete /v1/machines/invites/{id}",
  "post /v1/machines/acknowledge",
  "post /v1/machines/{id}/approve",
  "post /v1/machines/{id}/revoke",
  "post /v1/machines/{id}/rename",
  "post /v1/health",
  "post /v1/services/{name}/deploy",
  "post /v1/services/{name}/rollback",
  "get /v1/services/{name}/plan",
  "post /v1/services/{name}/deploy-lock",
  "delete /v1/services/{name}/deploy-lock",
  "post /v1/services/{name}/pin",
  "delete /v1/services/{name}/pin",
  "post /v1/deployments/{id}/cancel",
  "get /v1/deployments/{id}/output",
  "get /v1/services/{name}/deployments",
  "post /v1/services/{name}/rename",
  "post /v1/servers/{name}/rename",
  "post /v1/servers/status",
  "post /v1/servers/run",
  "post /v1/servers/{name}/scan",
  "get /v1/services/{name}/logs",
  "post /v1/services/{name}/restart",
  "post /v1/services/{name}/stop",
  "post /v1/services/{name}/start",
  "post /v1/secrets/{name}/rotated",
  ...crud("servers", "{name}"),
  ...crud("services", "{name}"),
  ...crud("routes", "{domain}"),
  ...crud("deps", "{service}/{on}"),
  ...crud("deployments", "{id}"),
  ...crud("events", "{id}"),
  ...crud("secrets", "{name}"),
]

describe("the OpenAPI document", () => {
  const load = async () => (await server.call("GET /openapi.json")).body
  const each = (document: any): ReadonlyArray<readonly [string, any]> =>
    Object.entries<object>(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method} ${path}`, operation] as const),
    )

  it("has every path, and no other", async () => {
    const document = await load()
    expect(document.openapi).toBe("3.1.0")
    const found = each(document).map(([name]) => name)
    expect(found.sort()).toEqual([...operations].sort())
  })

  it("refers to nothing that it does not define, and defines nothing twice", async () => {
    const document = await load()
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
      ([, name]) => name,
    )
    expect([...new Set(refs)].filter((name) => document.components.schemas[name as string] === undefined)).toEqual([])
    const ids = each(document).map(([, operation]) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    const parameters = each(document).flatMap(([name, operation]) =>
      [...name.matchAll(/\{(\w+)\}/g)].map(([, path]) =>
        operation.parameters.some((one: any) => one.in === "path" && one.name === path && one.required),
      ),
    )
    expect(parameters.every(Boolean)).toBe(true)
  })

  it("says what asks for the token, and how each fails", async () => {
    const document = await load()
    for (const [name, operation] of each(document)) {
      expect(operation.security, name).toEqual(name === "get /healthz" ? [] : [{ bearer: [] }])
      const statuses = Object.keys(operation.responses)
      if (name === "get /healthz") expect(statuses).toEqual(["200", "503"])
      else expect(statuses, name).toEqual(expect.arrayContaining(["400", "401", "404", "409", "503", "default"]))
    }
    const { "503": gone } = document.paths["/healthz"].get.responses
    expect(gone.content["application/json"].schema.allOf).toEqual([{ $ref: "#/components/schemas/StorageError" }])
    expect(document.components.securitySchemes.bearer).toEqual({ type: "http", scheme: "bearer" })
    expect(JSON.stringify(document)).not.toContain("HttpApiDecodeError")
    const { deploy } = Object.fromEntries(each(document).map(([, operation]) => [operation.operationId, operation]))
    expect(Object.keys(deploy.responses)).toEqual(expect.arrayContaining(["422", "502"]))
    expect(Object.keys(deploy.responses["200"].content)).toEqual(["application/json", "text/event-stream"])
    expect(deploy.requestBody.required).toBe(false)
    const { logs, restart, run } = Object.fromEntries(
      each(document).map(([, operation]) => [operation.operationId, operation]),
    )
    expect(Object.keys(logs.responses["200"].content)).toEqual(["application/json", "text/event-stream"])
    expect([restart.requestBody.required, run.requestBody.required]).toEqual([false, true])
  })
})

describe("the page of documentation", () => {
  it("brings all it needs with it", async () => {
    const { body, headers, status } = await server.call("GET /docs")
    expect(status).toBe(200)
    expect(headers.get("content-type")).toMatch(/^text\/html/)
    expect(body).not.toMatch(/<(script|link|img|iframe)[^>]*\s(src|href)=/i)
    expect(headers.get("content-security-policy")).toContain("default-src 'none'")
    expect(body).toContain("/v1/services/{name}/deploy")
  })
})

describe("the typed client", () => {
  const run = <A, E>(use: (client: Effect.Effect.Success<ReturnType<typeof make>>) => Effect.Effect<A, E>) =>
    Effect.runPromise(Effect.flatMap(make({ baseUrl: server.url, token, actor: "grace" }), use))

  it("makes, finds and removes", async () => {
    const found = await run((client) =>
      Effect.gen(function* () {
        yield* client.servers.create({ payload: { name: "myserver", ipAddresses: ["192.168.1.10"], notes: undefined } })
        yield* client.services.create({ payload: { name: "api", server: "myserver", port: 3000 } })
        const api = yield* client.services.one({ path: { name: "myserver/api" }, urlParams: {} })
        const moved = yield* client.services.update({
          path: { name: "myserver/api" },
          payload: { port: 3001 },
          urlParams: {},
        })
        const status = yield* client.status({ urlParams: {} })
        const events = yield* client.events.list({ urlParams: { service: "api", limit: 1 } })
        yield* client.servers.remove({ path: { name: "myserver" }, urlParams: { cascade: true } })
        const left = yield* client.servers.list({ urlParams: {} })
        return { api, moved, status, events, left, health: yield* client.healthz() }
      }),
    )
    expect(found.api).toMatchObject({ server: "myserver", port: 3000 })
    expect(found.moved.port).toBe(3001)
    expect(found.status.servers.map((one) => one.services.map((service) => service.name))).toEqual([["api"]])
    expect(found.events[0]?.actor).toBe("grace")
    expect(found.left).toEqual([])
    expect(found.health).toEqual({ status: "ok" })
  })

  it("does by hand what there is to do", async () => {
    const done = await run((client) =>
      Effect.gen(function* () {
        yield* client.servers.create({ payload: { name: "here", local: true } })
        yield* client.services.create({ payload: { name: "web", server: "here", restartCommand: "echo on its way" } })
        const restarted = yield* client.restart({ path: { name: "here/web" }, payload: {} })
        const ran = yield* client.run({ payload: { servers: ["here"], command: ["echo", "a  b"] } })
        const scanned = yield* client.scan({ path: { name: "here" }, payload: {} })
        yield* client.servers.remove({ path: { name: "here" }, urlParams: { cascade: true } })
        return { restarted, ran, scanned }
      }),
    )
    expect(done.restarted).toMatchObject({ outcome: "done", verified: false, logs: "on its way\n" })
    expect(done.ran).toMatchObject([{ server: "here", exitCode: 0, stdout: "a  b\n", error: null }])
    expect(done.scanned).toMatchObject({ server: "here", applied: null })
  })

  it("fails with the domain's own errors", async () => {
    const error = await run((client) => Effect.flip(client.servers.one({ path: { name: "nowhere" }, urlParams: {} })))
    expect(error).toBeInstanceOf(NotFound)
    expect(error.message).toBe('no server named "nowhere"')
    const refused = await Effect.runPromise(
      Effect.flatMap(make({ baseUrl: server.url, token: "wrong" }), (client) =>
        Effect.flip(client.status({ urlParams: {} })),
      ),
    )
    expect(refused).toBeInstanceOf(Unauthorized)
  })
})
