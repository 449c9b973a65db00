/** Deploys and rollbacks over HTTP: a real git repository, a real service with a health endpoint, on this machine. */
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { testServer, token } from "./support.js"

const server = testServer()
const { call } = server

let origin = ""
let project = ""
const good: Record<string, string> = {}

const git = (...args: ReadonlyArray<string>) =>
  execFileSync("git", ["-C", origin, "-c", "user.name=t", "-c", "user.email=t@example.com", ...args])
    .toString()
    .trim()

const commit = (health: string): string => {
  writeFileSync(join(origin, "health"), health)
  git("add", ".")
  git("commit", "-qm", health, "--allow-empty")
  return git("rev-parse", "HEAD")
}

/** The service: well as long as the file that was deployed says 200. */
const service = createServer((_, response) => {
  response.writeHead(Number(readFileSync(join(project, "health"), "utf8"))).end()
})

beforeAll(async () => {
  origin = join(server.directory, "origin")
  project = join(server.directory, "project")
  execFileSync("git", ["init", "-q", origin])
  good.v1 = commit("200")
  execFileSync("git", ["clone", "-q", origin, project])
  good.v2 = commit("503")
  good.v3 = commit("200")
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve))
  await call("POST /v1/servers", { name: "here", local: true })
  await call("POST /v1/services", {
    name: "api",
    server: "here",
    port: (service.address() as AddressInfo).port,
    healthEndpoint: "/health",
    projectPath: project,
    deployCommand:
      "git checkout -q {{version}} && echo now at {{version}} && echo and a warning >&2 && printf unfinished",
  })
  await call("POST /v1/services", { name: "bare", server: "here" })
  await call("POST /v1/services", { name: "slow", server: "here", deployCommand: "echo begun; sleep 1; echo over" })
})

afterAll(() => service.close())

describe("deploy", () => {
  it("answers with the deployment, once it is over", async () => {
    const answer = await call(
      "POST /v1/services/api/deploy",
      { version: good.v1, notes: "first", method: "ci" },
      {
        "x-context-actor": "ada",
      },
    )
    expect(answer).toMatchObject({
      status: 200,
      body: {
        status: "success",
        version: good.v1,
        deployedBy: "ada",
        deployMethod: "ci",
        notes: "first",
        verified: true,
      },
    })
    expect(answer.body.logs).toContain(`now at ${good.v1}`)
    expect((await call("GET /v1/services/here%2Fapi")).body).toMatchObject({
      currentVersion: good.v1,
      status: "running",
    })
  })

  it("answers with what failed, and why", async () => {
    const answer = await call("POST /v1/services/api/deploy", { version: good.v2, healthTimeout: 300 })
    expect(answer).toMatchObject({ status: 200, body: { status: "failed", version: good.v2 } })
    expect(answer.body.reason).toMatch(/did not become healthy/)
    expect((await call("POST /v1/health", { services: ["api"] })).body).toMatchObject([{ status: "unhealthy" }])
    expect((await call("GET /v1/status")).body).toMatchObject({ ok: false })
  })

  it("goes back", async () => {
    const answer = await call("POST /v1/services/api/rollback")
    expect(answer).toMatchObject({
      status: 200,
      body: { status: "success", version: good.v1, deployMethod: "rollback" },
    })
    const history = await call("GET /v1/services/api/deployments")
    expect(history.body.map((row: any) => row.status)).toEqual(["success", "rolled_back", "success"])
    expect((await call("POST /v1/health")).body).toContainEqual(
      expect.objectContaining({ service: "api", status: "healthy" }),
    )
    expect((await call("GET /v1/status")).body).toMatchObject({ ok: true })
  })

  it("refuses before anything is run", async () => {
    expect(await call("POST /v1/services/apy/deploy")).toMatchObject({ status: 404, body: { suggestions: ["api"] } })
    expect(await call("POST /v1/services/bare/deploy")).toMatchObject({
      status: 422,
      body: { _tag: "OperationFailed", operation: "deploy", message: "service here/bare has no deploy command" },
    })
    expect(await call("POST /v1/services/api/deploy", { version: "; rm -rf /" })).toMatchObject({
      status: 400,
      body: { _tag: "InvalidInput", field: "version" },
    })
    expect(await call("POST /v1/services/api/deploy", { healthTimeout: -1 })).toMatchObject({ status: 400 })
    expect(await call("POST /v1/services/slow/rollback")).toMatchObject({ status: 422 })
  })

  it("looks at the servers", async () => {
    const { body } = await call("POST /v1/servers/status", { servers: ["here"] })
    expect(body).toMatchObject([{ server: "here", metrics: { cpus: expect.any(Number) } }])
    expect(await call("POST /v1/servers/status", { servers: ["hare"] })).toMatchObject({ status: 404 })
  })
})

/** The server-sent events in a text. */
const messages = (text: string) =>
  text
    .split("\n\n")
    .filter((part) => part.startsWith("event: "))
    .map((part) => {
      const [event, data] = part.split("\n") as [string, string]
      return { event: event.slice(7), data: JSON.parse(data.slice(6)) }
    })

describe("deploy, watched", () => {
  const stream = { accept: "text/event-stream" }
  it("tells everything as it comes", async () => {
    const answer = await call("POST /v1/services/api/deploy", { version: good.v3 }, stream)
    expect(answer.headers.get("content-type")).toMatch(/^text\/event-stream/)
    const told = messages(answer.body)
    const output = told.filter((one) => one.event === "output").map((one) => one.data)
    expect(output).toContainEqual({ stream: "stdout", line: `now at ${good.v3}` })
    expect(output).toContainEqual({ stream: "stdout", line: "and a warning" })
    expect(output).toContainEqual({ stream: "stdout", line: "unfinished" })
    expect(told.filter((one) => one.event === "step").map((one) => one.data.step)).toEqual([
      "command",
      "health",
      "done",
    ])
    expect(told.at(-1)).toMatchObject({ event: "deployment", data: { status: "success", version: good.v3 } })
  })

  it("refuses with a status, as long as nothing was run", async () => {
    expect(await call("POST /v1/services/bare/deploy", undefined, stream)).toMatchObject({
      status: 422,
      body: { _tag: "OperationFailed" },
    })
  })

  it("goes on when the caller hangs up", async () => {
    const controller = new AbortController()
    const response = await fetch(`${server.url}/v1/services/slow/deploy`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, ...stream },
      signal: controller.signal,
    })
    const reader = response.body?.getReader()
    await reader?.read()
    controller.abort()
    const deadline = Date.now() + 8000
    let row: any
    do {
      await new Promise((resolve) => setTimeout(resolve, 100))
      row = (await call("GET /v1/services/slow/deployments?limit=1")).body[0]
    } while (row?.status === "in_progress" && Date.now() < deadline)
    expect(row).toMatchObject({ status: "success" })
    expect(row.logs).toContain("over")
  })
})

describe("around a deployment", () => {
  it("shows what would be done, and changes nothing", async () => {
    const before = (await call("GET /v1/services/api/deployments")).body
    const plan = await call(`GET /v1/services/api/plan?version=${good.v2}`)
    expect(plan).toMatchObject({
      status: 200,
      body: {
        service: "here/api",
        from: good.v3,
        to: good.v2,
        backwards: true,
        problems: [],
        lock: null,
        pinned: null,
      },
    })
    expect(plan.body.steps[0].command).toContain(good.v2)
    expect(plan.body.rollback).toEqual({ version: good.v1, available: true })
    expect((await call("GET /v1/services/bare/plan")).body.problems).toEqual(["it has no deploy command"])
    expect(await call("GET /v1/services/nothing/plan")).toMatchObject({ status: 404 })
    expect(await call("GET /v1/services/api/plan?version=%3Brm")).toMatchObject({ status: 400 })
    expect((await call("GET /v1/services/api/deployments")).body).toEqual(before)
  })

  it("shows all that it printed", async () => {
    const [row] = (await call("GET /v1/services/api/deployments?limit=1")).body
    const { body, status } = await call(`GET /v1/deployments/${row.id}/output`)
    expect({ body, status }).toMatchObject({ status: 200, body: { whole: true } })
    expect(body.text).toContain(`now at ${good.v3}`)
    expect(await call("GET /v1/deployments/nothing/output")).toMatchObject({ status: 404 })
  })

  it("locks and unlocks", async () => {
    const locked = await call(
      "POST /v1/services/slow/deploy-lock",
      { reason: "migrating" },
      { "x-context-actor": "ada" },
    )
    expect(locked).toMatchObject({ status: 200, body: { service: "here/slow", counter: expect.any(Number) } })
    expect(await call("POST /v1/services/slow/deploy")).toMatchObject({
      status: 422,
      body: { message: expect.stringMatching(/locked by ada on .*\(migrating\)/) },
    })
    expect((await call("GET /v1/services/slow/plan")).body.lock).toMatchObject({ state: "hand", reason: "migrating" })
    expect(await call("DELETE /v1/services/slow/deploy-lock")).toMatchObject({ status: 204 })
    expect(await call("DELETE /v1/services/slow/deploy-lock")).toMatchObject({ status: 422 })
  })

  it("pins and unpins", async () => {
    expect(await call("POST /v1/services/api/pin", { reason: "the demo" })).toMatchObject({
      status: 200,
      body: { service: "here/api", version: good.v3 },
    })
    expect((await call("GET /v1/services/api")).body.pinned).toEqual({ version: good.v3, reason: "the demo" })
    expect(await call("POST /v1/services/api/deploy", { version: good.v1 })).toMatchObject({
      status: 422,
      body: { message: expect.stringContaining("the demo") },
    })
    expect(await call("DELETE /v1/services/api/pin")).toMatchObject({ status: 204 })
    expect(await call("DELETE /v1/services/api/pin")).toMatchObject({ status: 422 })
  })

  it("cancels", async () => {
    await call("PATCH /v1/services/slow", { deployCommand: "echo begun; sleep 60" })
    const response = await fetch(`${server.url}/v1/services/slow/deploy`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
    })
    let told = ""
    let cancelled: ReturnType<typeof call> | undefined
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      told += new TextDecoder().decode(chunk)
      if (cancelled !== undefined || !told.includes("begun")) continue
      const [row] = (await call("GET /v1/services/slow/deployments?limit=1")).body
      cancelled = call(`POST /v1/deployments/${row.id}/cancel`, undefined, { "x-context-actor": "ada" })
    }
    expect(await cancelled).toMatchObject({
      status: 200,
      body: { status: "failed", reason: expect.stringContaining("cancelled by ada") },
    })
    expect(messages(told).at(-1)).toMatchObject({ event: "deployment", data: { status: "failed" } })
    const [row] = (await call("GET /v1/services/slow/deployments?limit=1")).body
    expect(await call(`POST /v1/deployments/${row.id}/cancel`)).toMatchObject({ status: 422 })
  })
})
