/** What is said of a server that does not do as asked: the fact, and nothing that the one who reads it cannot rely on. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { remoteLog } from "@context-engine/store/sync/http"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterAll, expect, it } from "vitest"

let status = 200
const server = createServer((_, response) => response.writeHead(status).end())
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
afterAll(() => server.close())

const failure = (answers: number, endpoint: Parameters<typeof remoteLog>[0] = { url }) => {
  status = answers
  return Effect.runPromise(Effect.flip(remoteLog(endpoint).survey([])))
}

it("a server that cannot be reached is no promise to try again: whoever asked once did not ask twice", async () => {
  const errors = [await failure(503), await failure(429), await failure(0, { url: "http://127.0.0.1:1" })]
  for (const { message, reason } of errors) {
    expect(reason).toBe("offline")
    expect(message).not.toContain("again")
    expect(message).toMatch(/\)$/)
  }
})

it("a server that wants a token says so where none was given, and where one was, that it is not the right one", async () => {
  for (const answer of [401, 403]) {
    const none = await failure(answer)
    expect(none).toMatchObject({ reason: "unauthorised", message: expect.stringContaining("wants a token") })
    expect(none.message).toContain("standard input")
    expect(none.message).toContain("TURSO_AUTH_TOKEN")
    expect(none.message).not.toContain("expired")
    const wrong = await failure(answer, { url, token: Redacted.make("x") })
    expect(wrong.message).not.toContain("wants a token")
  }
  expect((await failure(401, { url, token: Redacted.make("x") })).message).toContain("wrong or has expired")
})

it("a server without TLS that is asked with it is told so in one sentence, with the address that may do", async () => {
  for (const scheme of ["libsql", "https"]) {
    const { message, reason } = await failure(200, { url: url.replace(/^http/, scheme) })
    expect(reason).toBe("protocol")
    expect(message).toContain("does not answer with TLS (ERR_SSL_WRONG_VERSION_NUMBER wrong version number)")
    expect(message).toContain(`try ${url}`)
    expect(message).not.toContain("openssl")
  }
})

it("a server that answers as none does is named by what it said", async () => {
  for (const answer of [204, 404, 418, 600, 999]) {
    const { message, reason } = await failure(answer)
    expect(reason).toBe("protocol")
    expect(message).not.toContain("2^53")
    if (answer > 299) expect(message).toContain(`answers, but not as a libSQL server does (HTTP ${answer})`)
  }
})
