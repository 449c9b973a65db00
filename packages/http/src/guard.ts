/** What happens to every request before and after its handler: who asks, how big, for which host, and how it may fail. */
import { hostname } from "node:os"
import { Attendant } from "@context-engine/core/Attendant"
import { Line } from "@context-engine/core/domain/fields"
import { Here, type Identity } from "@context-engine/core/Here"
import { Origin, type OriginData } from "@context-engine/core/Origin"
import { attendant } from "@context-engine/core/Remote/Process"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpApp from "@effect/platform/HttpApp"
import { appendPreResponseHandler } from "@effect/platform/HttpApp"
import { MaxBodySize } from "@effect/platform/HttpIncomingMessage"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { explain, pathOf, refusal, whereOf } from "./failures.js"

/** The most a request's body may hold, in bytes. */
export const maxBody = 1024 * 1024

interface Options {
  readonly loopback: boolean
  /** The machine that serves. */
  readonly here: Effect.Effect<Identity>
}

/** `loopback`: only this machine is meant to reach the server, so a request for another host's name is a trick. */
export const layer = (options: Options) => HttpApiBuilder.middleware((app) => guarded(app, options) as HttpApp.Default)

const guarded = (app: HttpApp.Default<unknown>, { here, loopback }: Options) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest
    yield* appendPreResponseHandler((asked, response) => Effect.succeed(withHeaders(pathOf(asked), response)))
    const refused = refuse(request, loopback)
    if (refused !== undefined) return refused
    return yield* app.pipe(
      Effect.provideService(Origin, originOf(request)),
      Effect.provideService(Here, here),
      Effect.provideService(Attendant, attendant),
      Effect.provideService(MaxBodySize, Option.some(FileSystem.Size(maxBody))),
      Effect.catchAllCause((cause) => explain(cause, whereOf(request))),
    )
  })

const refuse = (request: HttpServerRequest, loopback: boolean): HttpServerResponse.HttpServerResponse | undefined => {
  const { "content-length": length, "content-type": type, host = "" } = request.headers
  if (loopback && !isLoopback(host)) {
    const message = `this server answers on this machine only, as localhost or 127.0.0.1, not as ${JSON.stringify(host)}`
    return refusal(421, "MisdirectedRequest", message)
  }
  if (Number(length ?? 0) > maxBody) return refusal(413, "BodyTooLarge", `a body may hold at most ${maxBody} bytes`)
  if (type !== undefined && !/^application\/json\s*(;|$)/i.test(type)) {
    return refusal(415, "UnsupportedMediaType", "say Content-Type: application/json, and send JSON")
  }
  return undefined
}

/** Whether a `Host` header, with or without a port, names this machine by its loopback. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i.test(host)

const machine = hostname()
const isLine = Schema.is(Line)

/** `X-Context-Actor` says for whom a program asks. It is a note in the log, not a proof. */
const originOf = (request: HttpServerRequest): OriginData => {
  const given = request.headers["x-context-actor"]?.trim() ?? ""
  const valid = /^[\x20-\x7e]{1,64}$/.test(given) && isLine(given)
  return { actor: valid ? given : "http", via: "http", machine }
}

const withHeaders = (path: string, response: HttpServerResponse.HttpServerResponse) =>
  HttpServerResponse.setHeaders(response, {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": path === "/docs" ? docsPolicy : "default-src 'none'",
    ...(response.status === 401 ? { "www-authenticate": "Bearer" } : {}),
  })

/** The page of documentation brings all it needs, and speaks to no one but this server. */
const docsPolicy =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'"
