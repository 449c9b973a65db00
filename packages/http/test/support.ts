/** A real server over a real log in a temporary directory, and requests to it by `fetch`. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as HttpServer from "@effect/platform/HttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll } from "vitest"
import { auditAll } from "../../store/test/support/audited.js"
import { layer, type ServeOptions } from "../src/serve.js"

export const token = "correct-horse-battery-staple"

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: any
}

export interface TestServer {
  url: string
  directory: string
  /** Sends a request with the token; a body is sent as JSON, a string as it is. */
  readonly call: (route: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>
  /** A request as it is. */
  readonly raw: (path: string, init?: RequestInit) => Promise<Answer>
}

/** A server for the tests of one file. `route` is a method and a path: `GET /v1/servers`. */
export const testServer = (options: Partial<ServeOptions> = {}): TestServer => {
  const scope = Effect.runSync(Scope.make())
  const server: TestServer = {
    url: "",
    directory: "",
    raw: async (path, init) => answerOf(await fetch(`${server.url}${path}`, init)),
    call: (route, body, headers = {}) => {
      const [method, path] = route.split(" ") as [string, string]
      const sent = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body)
      return server.raw(path, {
        method,
        body: sent,
        headers: {
          authorization: `Bearer ${token}`,
          ...(sent === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
      })
    },
  }
  beforeAll(async () => {
    server.directory = mkdtempSync(join(tmpdir(), "context-http-"))
    // The ledger of deployments on this machine is kept in the home.
    process.env.HOME = server.directory
    const all = { db: join(server.directory, "infra.db"), port: 0, token, ...options }
    const context = await Effect.runPromise(Layer.buildWithScope(layer(all), scope))
    const { address } = Context.get(context, HttpServer.HttpServer)
    server.url = address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : ""
  })
  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await auditAll(server.directory).finally(() => rmSync(server.directory, { recursive: true, force: true }))
  })
  return server
}

const answerOf = async (response: Response): Promise<Answer> => {
  const text = await response.text()
  const json = response.headers.get("content-type")?.includes("application/json") ?? false
  return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text }
}
