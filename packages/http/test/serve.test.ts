/** The server's life: where it listens, what stops it from listening, and how it ends. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, request, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ReadModels } from "@context-engine/core/ReadModels"
import * as Store from "@context-engine/store/layer"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterAll, expect, it, vi } from "vitest"
import { auditAll } from "../../store/test/support/audited.js"
import { type ServeOptions, serve } from "../src/serve.js"

const directory = mkdtempSync(join(tmpdir(), "context-serve-"))
// The ledger of deployments on this machine is kept in the home.
process.env.HOME = directory
afterAll(() => auditAll(directory).finally(() => rmSync(directory, { recursive: true, force: true })))

const db = join(directory, "infra.db")
const options: ServeOptions = { db, port: 0, token: "token" }
const failure = (over: Partial<ServeOptions>) => Effect.runPromise(Effect.flip(serve({ ...options, ...over })))

const listening = (server: Server) =>
  new Promise<number>((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)))

it("says who is in the way of a port", async () => {
  const other = createServer()
  const port = await listening(other)
  const error = await failure({ port })
  other.close()
  expect(error).toMatchObject({ _tag: "ListenError", port, host: "127.0.0.1" })
  expect(error.message).toBe(
    `port ${port} of 127.0.0.1 is in use: stop what listens there, or choose another with --port`,
  )
})

it("refuses an address that is not this machine's", async () => {
  expect((await failure({ host: "192.0.2.1" })).message).toMatch(/^192.0.2.1 is not an address of this machine/)
})

it.each([70_000, -1, 1.5, Number.NaN])("refuses port %s", async (port) => {
  expect(await failure({ port })).toMatchObject({ _tag: "InvalidInput", field: "port" })
})

it.each(["", " ", "two words", "naïve"])("refuses the token %j", async (token) => {
  const error = await failure({ token })
  expect(error).toMatchObject({ _tag: "InvalidInput", field: "token" })
})

it("refuses a file that is not a database", async () => {
  const path = join(directory, "notes.txt")
  writeFileSync(path, "these are my notes, and they are longer than one might think".repeat(20))
  expect(await failure({ db: path })).toMatchObject({ _tag: "StorageError", reason: "not-a-database" })
})

it("listens on the loopback until it is interrupted, then lets the port go", async () => {
  const program = Effect.gen(function* () {
    const url = yield* Deferred.make<string>()
    const fiber = yield* Effect.fork(serve({ ...options, onListen: (it) => Deferred.succeed(url, it) }))
    const at = yield* Deferred.await(url)
    const first = yield* Effect.promise(() => fetch(`${at}/healthz`))
    const [took] = yield* Effect.timed(Fiber.interrupt(fiber))
    const gone = yield* Effect.promise(() => fetch(`${at}/healthz`).catch(() => "gone"))
    return { at, status: first.status, millis: Duration.toMillis(took), gone }
  })
  const { at, gone, millis, status } = await Effect.runPromise(program)
  expect(at).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect(status).toBe(200)
  expect(gone).toBe("gone")
  expect(millis).toBeLessThan(4000)
})

it("answers to any host's name when it listens for others too", async () => {
  const program = Effect.gen(function* () {
    const url = yield* Deferred.make<string>()
    yield* Effect.forkScoped(serve({ ...options, host: "0.0.0.0", onListen: (it) => Deferred.succeed(url, it) }))
    const { port } = new URL(yield* Deferred.await(url))
    return yield* Effect.async<number | undefined>((resume) => {
      const headers = { host: "box.lan" }
      request({ port, path: "/healthz", headers }, (response) => resume(Effect.succeed(response.statusCode))).end()
    })
  })
  expect(await Effect.runPromise(Effect.scoped(program))).toBe(200)
})

it("a deployment goes on at its host when the server ends", async () => {
  const headers = { authorization: "Bearer token", "content-type": "application/json" }
  const post = (url: string, body: object) => fetch(url, { method: "POST", headers, body: JSON.stringify(body) })
  const hold = join(directory, "hold")
  writeFileSync(hold, "")
  const program = Effect.gen(function* () {
    const url = yield* Deferred.make<string>()
    const fiber = yield* Effect.fork(serve({ ...options, grace: 300, onListen: (it) => Deferred.succeed(url, it) }))
    const at = yield* Deferred.await(url)
    const deployCommand = `touch ${directory}/begun; while [ -e ${hold} ]; do sleep 0.1; done; echo over`
    yield* Effect.promise(() => post(`${at}/v1/servers`, { name: "here", local: true }))
    yield* Effect.promise(() => post(`${at}/v1/services`, { name: "slow", server: "here", deployCommand }))
    const pending = post(`${at}/v1/services/slow/deploy`, {}).then((response) => response.status)
    yield* Effect.promise(() => vi.waitFor(() => expect(existsSync(join(directory, "begun"))).toBe(true), 60_000))
    const [took] = yield* Effect.timed(Fiber.interrupt(fiber))
    return { took: Duration.toMillis(took), status: yield* Effect.promise(() => pending) }
  })
  const { status, took } = await Effect.runPromise(program)
  expect(took).toBeLessThan(5000)
  expect(status).toBe(503)
  const rows = Effect.flatMap(ReadModels, (models) => models.deployments.list())
  const [row] = await Effect.runPromise(Effect.provide(rows, Store.layer(db)))
  expect(row).toMatchObject({ status: "in_progress" })
  rmSync(hold)
})

it("whoever follows a log does not keep the server from ending", async () => {
  const headers = { authorization: "Bearer token", "content-type": "application/json" }
  const post = (url: string, body: object) => fetch(url, { method: "POST", headers, body: JSON.stringify(body) })
  const logPath = join(directory, "followed.log")
  writeFileSync(logPath, "one\n")
  const program = Effect.gen(function* () {
    const url = yield* Deferred.make<string>()
    const own = { ...options, db: join(directory, "followed.db"), grace: 90_000 }
    const fiber = yield* Effect.fork(serve({ ...own, onListen: (it) => Deferred.succeed(url, it) }))
    const at = yield* Deferred.await(url)
    yield* Effect.promise(() => post(`${at}/v1/servers`, { name: "here", local: true }))
    yield* Effect.promise(() => post(`${at}/v1/services`, { name: "api", server: "here", logPath }))
    const follow = { headers: { authorization: headers.authorization, accept: "text/event-stream" } }
    const response = yield* Effect.promise(() => fetch(`${at}/v1/services/api/logs`, follow))
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    const first = yield* Effect.promise(() => reader.read())
    const [took] = yield* Effect.timed(Fiber.interrupt(fiber))
    const last = yield* Effect.promise(() => reader.read().catch(() => ({ done: true })))
    return { first: new TextDecoder().decode(first.value), took: Duration.toMillis(took), over: last.done }
  })
  const { first, over, took } = await Effect.runPromise(program)
  expect(first).toContain('"one"')
  expect(over).toBe(true)
  expect(took).toBeLessThan(45_000)
})
