/** Checks the bearer token. What is compared are digests, in constant time: neither length nor content leaks. */
import { createHash, timingSafeEqual } from "node:crypto"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Authorization } from "./api/Authorization.js"
import { Unauthorized } from "./api/errors.js"

/** Lets through what brings the token, and `/healthz`. */
export const layer = (token: string): Layer.Layer<Authorization> => {
  const expected = digest(token)
  const check = Effect.flatMap(HttpServerRequest, ({ headers, url }) => {
    if (url === "/healthz") return Effect.void
    const given = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1]
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return Effect.void
    const message =
      given === undefined
        ? "this needs the server's token: say Authorization: Bearer <token>"
        : "that is not the server's token"
    return new Unauthorized({ message })
  })
  return Layer.succeed(Authorization, { bearer: () => check })
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()
