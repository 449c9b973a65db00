/** Who is let in, and what HTTP itself refuses: always JSON, always in plain words. */
import { request } from "node:http"
import { join } from "node:path"
import { Database, layer as database } from "@context-engine/store/Database"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { describe, expect, it, vi } from "vitest"
import { damaged } from "../../store/test/support/audited.js"
import { explain } from "../src/failures.js"
import { testServer, token } from "./support.js"

const server = testServer()
const { call, raw } = server

describe("the token", () => {
  const paths = ["/v1/servers", "/v1/status", "/openapi.json", "/docs", "/nothing/here", "/", "/healthz/", "/healthz?x"]
  for (const path of paths) {
    it(`is asked for at ${path}`, async () => {
      const missing = await raw(path)
      expect(missing).toMatchObject({ status: 401, body: { _tag: "Unauthorized" } })
      expect(missing.body.message).toContain("Authorization: Bearer")
      expect(missing.headers.get("www-authenticate")).toBe("Bearer")
    })
  }

  const wrong = ["Bearer wrong", `Bearer ${token}x`, `Bearer ${token.slice(1)}`, "Bearer ", `Basic ${token}`, token]
  for (const authorization of wrong) {
    it(`is not ${authorization.slice(0, 20)}`, async () => {
      const answer = await raw("/v1/servers", { headers: { authorization } })
      expect(answer).toMatchObject({ status: 401, body: { _tag: "Unauthorized" } })
      expect(JSON.stringify(answer.body)).not.toContain(token)
    })
  }

  it("is not needed at /healthz, and may be written bearer", async () => {
    expect(await raw("/healthz")).toMatchObject({ status: 200, body: { status: "ok" } })
    expect((await raw("/v1/servers", { headers: { authorization: `bearer ${token}` } })).status).toBe(200)
  })

  it("is asked for before the body is looked at", async () => {
    const headers = { "content-type": "application/json" }
    expect((await raw("/v1/servers", { method: "POST", body: "{", headers })).status).toBe(401)
  })
})

describe("requests that do not fit", () => {
  it("malformed JSON", async () => {
    const answer = await call("POST /v1/servers", '{"name": ')
    expect(answer).toMatchObject({ status: 400, body: { _tag: "InvalidInput", field: "" } })
    expect(answer.body.message).toMatch(/^the body is not JSON: /)
  })

  for (const body of ["", "null", "[]", '"text"', "7"]) {
    it(`a body that is no object: ${body || "none"}`, async () => {
      const answer = await call("POST /v1/servers", body)
      expect(answer).toMatchObject({ status: 400, body: { _tag: "InvalidInput" } })
      expect(answer.body.message).toMatch(/must be a JSON object/)
    })
  }

  it("a body that is too large", async () => {
    const answer = await call("POST /v1/servers", { name: "x", notes: "y".repeat(1024 * 1024) })
    expect(answer).toMatchObject({ status: 413, body: { _tag: "BodyTooLarge" } })
    expect((await call("GET /v1/servers")).status).toBe(200)
  })

  it("a body that is too large and does not say so", async () => {
    const outcome = await new Promise((resolve) => {
      const sent = request(`${server.url}/v1/servers`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      })
      sent.on("response", (response) => resolve(response.statusCode)).on("error", () => resolve("hung up"))
      for (let i = 0; i < 20; i++) sent.write("x".repeat(100_000))
      sent.end()
    })
    expect([400, 413, "hung up"]).toContain(outcome)
    expect((await call("GET /v1/servers")).body).toEqual([])
  })

  it("a body that is not JSON at all", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
      const answer = await call("POST /v1/servers", "name=x", { "content-type": type })
      expect(answer).toMatchObject({ status: 415, body: { _tag: "UnsupportedMediaType" } })
    }
    const typed = await call("POST /v1/servers", '{"name":"charset"}', {
      "content-type": "application/json;charset=utf-8",
    })
    expect(typed.status).toBe(201)
    await call("DELETE /v1/servers/charset")
  })

  it("routes that there are not", async () => {
    for (const route of [
      "GET /",
      "GET /v1",
      "PUT /v1/servers",
      "GET /v2/servers",
      "GET /v1/servers/%zz",
      "GET /v1//",
    ]) {
      expect(await call(route)).toMatchObject({ status: 404, body: { _tag: "NoSuchRoute" } })
    }
    expect((await call("GET /v1/nope?x=secret")).body.message).toBe(
      "there is no GET /v1/nope; /openapi.json lists what there is",
    )
  })
})

describe("the host a request is meant for", () => {
  const ask = (host: string) =>
    new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      request(`${server.url}/healthz`, { headers: { host } }, (response) => {
        let body = ""
        response.on("data", (chunk) => {
          body += chunk
        })
        response.on("end", () => resolve({ status: response.statusCode, body }))
      })
        .on("error", reject)
        .end()
    })

  for (const host of ["localhost", "LOCALHOST:4400", "127.0.0.1:1", "127.0.0.1", "[::1]", "[::1]:4400"]) {
    it(`is ${host}`, async () => expect((await ask(host)).status).toBe(200))
  }
  for (const host of [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example:80",
    "localhost:80.evil",
    "::1",
  ]) {
    it(`is not ${host}`, async () => {
      const { body, status } = await ask(host)
      expect(status).toBe(421)
      expect(JSON.parse(body)._tag).toBe("MisdirectedRequest")
    })
  }
})

describe("answers", () => {
  it("let no other site read them, and are kept by nobody", async () => {
    const { headers } = await call("GET /v1/servers", undefined, { origin: "https://evil.example" })
    expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([])
    expect(headers.get("cache-control")).toBe("no-store")
    expect(headers.get("x-content-type-options")).toBe("nosniff")
    expect(headers.get("content-security-policy")).toBe("default-src 'none'")
    expect((await raw("/v1/servers", { method: "OPTIONS" })).status).toBe(401)
  })

  it("reveal nothing of a bug, which goes to stderr", async () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => {})
    const bug = Cause.die(new TypeError("the inner workings"))
    const response = HttpServerResponse.toWeb(await Effect.runPromise(Effect.orDie(explain(bug, "GET /v1/x"))))
    const body = (await response.json()) as { readonly message: string }
    const log = said.mock.calls.flat().join("\n")
    said.mockRestore()
    expect(response.status).toBe(500)
    expect(body).toEqual({
      _tag: "InternalError",
      message: expect.stringMatching(/^something went wrong inside; /),
    })
    expect(log).toContain(/ as (\w+)$/.exec(body.message)?.[1])
    expect(log).toMatch(/in GET \/v1\/x: TypeError: the inner workings/)
  })
})

describe("a log that cannot be read", () => {
  const spoil = (sql: string) =>
    Effect.runPromise(
      Effect.flatMap(Database, (_) => _.write(({ exec }) => exec(sql))).pipe(
        Effect.provide(database(damaged(join(server.directory, "infra.db")))),
      ),
    )

  it("is a bug where a row is not what the contract says", async () => {
    await call("POST /v1/servers", { name: "broken" })
    await spoil("UPDATE servers SET status = 'loud'")
    const said = vi.spyOn(console, "error").mockImplementation(() => {})
    const answers = await Promise.all([call("GET /v1/servers"), call("GET /v1/servers/broken"), call("GET /v1/status")])
    const log = said.mock.calls.flat().join("\n")
    said.mockRestore()
    for (const answer of answers) expect(answer).toMatchObject({ status: 500, body: { _tag: "InternalError" } })
    expect(JSON.stringify(answers.map((answer) => answer.body))).not.toContain("loud")
    expect(log).toContain('actual "loud"')
  })

  it("is a 503 that says why", async () => {
    await spoil("UPDATE servers SET tags = '[1'")
    const answer = await call("GET /v1/servers")
    expect(answer).toMatchObject({ status: 503, body: { _tag: "StorageError", reason: "unavailable" } })
    expect(Object.keys(answer.body).sort()).toEqual(["_tag", "message", "reason"])
  })
})
