/** Every kind of thing in the registry: added, listed, shown, changed, removed, and refused. */
import { join } from "node:path"
import { Origin } from "@context-engine/core/Origin"
import { Registry } from "@context-engine/core/services/Registry"
import * as Store from "@context-engine/store/layer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { testServer } from "./support.js"

const server = testServer()
const { call } = server

/** One kind of thing, and what one does to it. */
interface Kind {
  readonly noun: string
  readonly create: unknown
  /** What the new one must hold. */
  readonly created: object
  /** Its path, from its row. */
  readonly path: (row: any) => string
  readonly change: unknown
  readonly changed: object
  /** A path at which there is none, and what the answer says. */
  readonly missing: readonly [path: string, message: string]
}

const kinds: Record<string, Kind> = {
  servers: {
    noun: "server",
    create: { name: "box", ipAddresses: ["10.0.0.9"], role: "homelab", tags: ["a"] },
    created: { name: "box", ipAddresses: ["10.0.0.9"], role: "homelab", status: "unknown", local: false, notes: null },
    path: () => "box",
    change: { role: "production", notes: null },
    changed: { role: "production", tags: ["a"] },
    missing: ["boxx", 'no server named "boxx" — did you mean box?'],
  },
  services: {
    noun: "service",
    create: { name: "worker", server: "base", type: "queue", envVars: ["DATABASE_URL"] },
    created: { name: "worker", server: "base", type: "queue", currentVersion: null, healthStatus: "unknown" },
    path: () => "base%2Fworker",
    change: { port: 8080, config: { threads: 4 } },
    changed: { port: 8080, config: { threads: 4 }, type: "queue" },
    missing: ["workr", 'no service named "workr" — did you mean worker?'],
  },
  routes: {
    noun: "route",
    create: { domain: "api.example.com", service: "api", ssl: "letsencrypt" },
    created: { domain: "api.example.com", path: "/", method: "*", service: "api", server: "base" },
    path: () => "api.example.com?path=%2F",
    change: { rateLimit: { requests: 10, window: "1m" } },
    changed: { rateLimit: { requests: 10, window: "1m" }, ssl: "letsencrypt" },
    missing: ["api.example.org", 'no route named "api.example.org" — did you mean api.example.com?'],
  },
  deps: {
    noun: "dependency",
    create: { service: "api", on: "postgres", dependencyType: "database", connectionStringEnv: "DATABASE_URL" },
    created: { service: "base/api", dependsOn: "base/postgres", external: false, required: true },
    path: () => "api/base%2Fpostgres",
    change: { required: false },
    changed: { required: false, dependencyType: "database" },
    missing: ["api/stripe", 'no dependency named "api → stripe"'],
  },
  secrets: {
    noun: "secret",
    create: { name: "DATABASE_URL", service: "api", secretManager: "vault", rotationPolicy: { interval: "90d" } },
    created: { name: "DATABASE_URL", service: "base/api", secretManager: "vault", lastRotated: null },
    path: () => "DATABASE_URL?service=api",
    change: { path: "kv/api" },
    changed: { path: "kv/api", secretManager: "vault" },
    missing: ["DATABASE_URI", 'no secret named "DATABASE_URI" — did you mean DATABASE_URL?'],
  },
  events: {
    noun: "entry",
    create: { title: "disk replaced", type: "maintenance", server: "base", severity: "warning" },
    created: { title: "disk replaced", type: "maintenance", server: "base", source: "person", actor: "http" },
    path: (row) => row.id,
    change: { description: "the second one" },
    changed: { description: "the second one", severity: "warning" },
    missing: ["nothing", 'no event named "nothing"'],
  },
  deployments: {
    noun: "deployment",
    create: { service: "api", version: "1.2.3", status: "success", deployedBy: "github", method: "ci" },
    created: { service: "api", version: "1.2.3", status: "success", deployedBy: "github", deployMethod: "ci" },
    path: (row) => row.id,
    change: { notes: "by hand" },
    changed: { notes: "by hand", status: "success" },
    missing: ["00000000", 'no deployment named "00000000"'],
  },
}

describe("the five things one can do", () => {
  it("finds an empty registry first", async () => {
    for (const name of Object.keys(kinds)) {
      expect(await call(`GET /v1/${name}`)).toMatchObject({ status: 200, body: [] })
    }
    expect(await call("POST /v1/servers", { name: "base", local: true })).toMatchObject({ status: 201 })
    for (const name of ["api", "postgres"]) {
      expect(await call("POST /v1/services", { name, server: "base" })).toMatchObject({ status: 201 })
    }
  })

  for (const [name, kind] of Object.entries(kinds)) {
    it(`does them to ${name}`, async () => {
      const made = await call(`POST /v1/${name}`, kind.create)
      expect(made).toMatchObject({ status: 201, body: kind.created })
      const one = `/v1/${name}/${kind.path(made.body)}`
      expect(await call(`GET ${one}`)).toMatchObject({ status: 200, body: made.body })
      expect((await call(`GET /v1/${name}`)).body).toContainEqual(made.body)
      expect(await call(`PATCH ${one}`, kind.change)).toMatchObject({ status: 200, body: kind.changed })
      expect(await call(`DELETE ${one}`)).toMatchObject({ status: 204, body: "" })
      expect(await call(`GET ${one}`)).toMatchObject({ status: 404, body: { _tag: "NotFound" } })
      await call(`POST /v1/${name}`, kind.create)
    })

    it(`says which of the ${name} there is not`, async () => {
      const [path, message] = kind.missing
      const body = { _tag: "NotFound", message }
      expect(await call(`GET /v1/${name}/${path}`)).toMatchObject({ status: 404, body })
      expect(await call(`PATCH /v1/${name}/${path}`, kind.change)).toMatchObject({ status: 404, body })
      expect(await call(`DELETE /v1/${name}/${path}`)).toMatchObject({ status: 404, body })
    })

    it(`refuses unknown keys in ${name}`, async () => {
      const body = { _tag: "InvalidInput", field: "colour" }
      const post = await call(`POST /v1/${name}`, { ...(kind.create as object), colour: "red" })
      expect(post).toMatchObject({ status: 400, body })
      expect(post.body.message).toMatch(/^colour: is not known here; known are .*\w+, \w+/)
      expect(await call(`PATCH /v1/${name}/x/y`.replace(name === "deps" ? "" : "/y", ""), { colour: 1 })).toMatchObject(
        {
          status: 400,
          body,
        },
      )
      expect(await call(`GET /v1/${name}?colour=red`)).toMatchObject({ status: 400, body })
    })
  }
})

describe("what the registry refuses", () => {
  const refused: ReadonlyArray<readonly [route: string, body: unknown, status: number, answer: object]> = [
    ["POST /v1/servers", { name: "base" }, 409, { _tag: "AlreadyExists", entity: "server", name: "base" }],
    ["POST /v1/servers", {}, 400, { message: "name: is missing" }],
    ["POST /v1/servers", { name: "x y" }, 400, { _tag: "InvalidInput", field: "name" }],
    ["POST /v1/servers", { name: 7 }, 400, { message: "name: must be string" }],
    [
      "POST /v1/servers",
      { name: "c", role: "prod" },
      400,
      { message: 'role: must be "production" or "staging" or "development" or "homelab" or null' },
    ],
    ["POST /v1/servers", { name: "c", resources: { cpu: -1, ram: null, disk: null } }, 400, { field: "resources.cpu" }],
    ["PATCH /v1/servers/base", { resources: { cpu: null, ram: "-3GB", disk: null } }, 400, { field: "resources.ram" }],
    ["POST /v1/deployments", { service: "api", version: "1", status: "success", startedAt: "2026-02-30T12:00Z" }, 400, { field: "startedAt" }], // biome-ignore format: one request
    ["GET /v1/servers?at=2026-02-30", undefined, 400, { field: "at" }],
    ["GET /v1/servers?knownAt=2026-11-31", undefined, 400, { field: "knownAt" }],
    ["GET /v1/servers?at=2999-01-01", undefined, 400, { field: "at" }],
    ["GET /v1/events?since=2026-02-30", undefined, 400, { field: "since" }],
    ["POST /v1/services", { name: "x", server: "base", port: 70000 }, 400, { field: "port" }],
    ["POST /v1/services", { name: "x", server: "bass" }, 404, { suggestions: ["base"] }],
    ["POST /v1/deps", { service: "api" }, 400, { field: "on" }],
    ["POST /v1/deps", { service: "api", on: "api" }, 409, { _tag: "DependencyCycle", path: ["base/api", "base/api"] }],
    ["POST /v1/secrets", { name: "KEY", path: "AKIAIOSFODNN7EXAMPLE" }, 400, { field: "path" }],
    ["POST /v1/deployments", { service: "api", version: "$(id)", status: "success" }, 400, { field: "version" }],
    ["DELETE /v1/servers/base", undefined, 409, { _tag: "InUse", entity: "server" }],
    ["GET /v1/services?server=bass", undefined, 404, { _tag: "NotFound" }],
    ["GET /v1/events?limit=0", undefined, 400, { field: "limit" }],
    ["GET /v1/events?severity=loud", undefined, 400, { field: "severity" }],
    ["GET /v1/events?since=yesterday", undefined, 400, { field: "since" }],
    ["GET /v1/events?since=12", undefined, 400, { field: "since" }],
    ["DELETE /v1/servers/base?cascade=maybe", undefined, 400, { field: "cascade" }],
  ]
  for (const [route, body, status, answer] of refused) {
    it(`${route} ${JSON.stringify(body) ?? ""}`, async () => {
      expect(await call(route, body)).toMatchObject({ status, body: answer })
    })
  }

  it("an ambiguous service, naming those there are", async () => {
    await call("POST /v1/servers", { name: "other", local: true })
    await call("POST /v1/services", { name: "api", server: "other" })
    expect(await call("GET /v1/services/api")).toMatchObject({
      status: 409,
      body: { _tag: "Ambiguous", candidates: ["base/api", "other/api"] },
    })
    expect((await call("GET /v1/services/other%2Fapi")).body.server).toBe("other")
    await call("DELETE /v1/servers/other?cascade=true")
  })
})

describe("what else there is to do", () => {
  it("renames servers and services", async () => {
    expect((await call("POST /v1/servers/base/rename", { to: "home" })).body.name).toBe("home")
    expect((await call("POST /v1/services/home%2Fworker/rename", { to: "jobs" })).body).toMatchObject({
      name: "jobs",
      server: "home",
    })
    await call("POST /v1/servers/home/rename", { to: "base" })
  })

  it("leaves a server to the machine that it is local to, whoever sends back what was read", async () => {
    const add = Effect.flatMap(Registry, ({ servers }) => servers.add({ name: "theirs", local: true }))
    const registry = Registry.layer.pipe(Layer.provide(Store.layer(join(server.directory, "infra.db"))))
    const beta = { actor: "bob", via: "cli", machine: "beta" } as const
    await Effect.runPromise(add.pipe(Effect.provide(registry), Effect.provideService(Origin, beta)))
    const { body } = await call("GET /v1/servers/theirs")
    expect(body).toMatchObject({ local: true, localMachine: "beta" })
    const { local, tags } = body
    expect((await call("PATCH /v1/servers/theirs", { local, tags, notes: "read" })).body).toMatchObject({
      local: true,
      localMachine: "beta",
      notes: "read",
    })
    expect((await call("PATCH /v1/servers/theirs", { local: false })).body).toMatchObject({ localMachine: null })
  })

  it("notes that a secret was changed", async () => {
    const { body } = await call("POST /v1/secrets/DATABASE_URL/rotated?service=api")
    expect(Date.parse(body.rotationDue) - Date.parse(body.lastRotated)).toBe(90 * 86_400_000)
  })

  it("filters the timeline", async () => {
    const warnings = await call("GET /v1/events?severity=warning&server=base&since=1h&limit=1")
    expect(warnings.body).toMatchObject([{ title: "disk replaced" }])
    expect((await call("GET /v1/events?since=2999-01-01")).body).toEqual([])
    const [told] = (await call("GET /v1/events?service=api&limit=1")).body
    expect(await call(`PATCH /v1/events/${told.id}`, { title: "x" })).toMatchObject({ status: 400 })
  })

  it("lists one service's deployments and reverse dependencies", async () => {
    expect((await call("GET /v1/services/api/deployments?limit=1")).body).toMatchObject([{ version: "1.2.3" }])
    expect((await call("GET /v1/deployments?service=postgres")).body).toEqual([])
    expect((await call("GET /v1/deps?service=postgres&reverse=true")).body).toMatchObject([{ service: "base/api" }])
    expect((await call("GET /v1/deps?service=postgres")).body).toEqual([])
  })

  it("notes who asked", async () => {
    await call("POST /v1/events", { title: "by ada" }, { "x-context-actor": "ada" })
    await call("POST /v1/events", { title: "by a trick" }, { "x-context-actor": `ada${"x".repeat(100)}` })
    const [trick, ada] = (await call("GET /v1/events?limit=2")).body
    expect([trick.actor, ada.actor]).toEqual(["http", "ada"])
  })

  it("does two things at once", async () => {
    const names = Array.from({ length: 20 }, (_, i) => `twin${i}`)
    const answers = await Promise.all(names.map((name) => call("POST /v1/servers", { name })))
    expect(answers.map((answer) => answer.status)).toEqual(names.map(() => 201))
    const same = await Promise.all(names.map(() => call("POST /v1/servers", { name: "only" })))
    expect(same.map((answer) => answer.status).sort()).toEqual([201, ...names.slice(1).map(() => 409)])
  })
})

describe("?at=", () => {
  it("shows everything as it was", async () => {
    const before = (await call("GET /v1/status")).body.asOf.position
    await call("POST /v1/servers", { name: "later", local: true })
    await call("POST /v1/services", { name: "late", server: "later" })
    await call("POST /v1/deployments", { service: "late", version: "9", status: "failed" })
    const paths = ["servers", "services", "routes", "deps", "secrets", "events", "deployments", "status"]
    const then = await Promise.all(paths.map((path) => call(`GET /v1/${path}?at=${before}`)))
    expect(then.map((answer) => answer.status)).toEqual(paths.map(() => 200))
    expect(JSON.stringify(then.map((answer) => answer.body))).not.toMatch(/"later?"/)
    expect(then[7]?.body.asOf.position).toBe(before)
    expect((await call(`GET /v1/servers/later?at=${before}`)).status).toBe(404)
    expect((await call(`GET /v1/services/late/deployments?at=${before}`)).status).toBe(404)
    expect((await call("GET /v1/servers/later?at=0s")).status).toBe(200)
    expect((await call("GET /v1/services/late")).body.name).toBe("late")
  })

  it("refuses what is not a moment", async () => {
    expect((await call("GET /v1/status?at=noon")).body).toMatchObject({ _tag: "InvalidInput", field: "at" })
    expect((await call("GET /v1/status?at=999999")).body.message).toMatch(
      /^at: is beyond the end: the log ends at position \d+/,
    )
  })
})
