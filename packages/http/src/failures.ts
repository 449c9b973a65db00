/** Failures as people read them: every refusal is JSON with `_tag` and `message`; a bug reveals nothing. */
import { InvalidInput } from "@context-engine/core/Errors"
import * as Id from "@context-engine/core/Id"
import type { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import type { RequestError } from "@effect/platform/HttpServerError"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Errors from "./api/errors.js"

/** A refusal that belongs to HTTP and not to the domain. */
export const refusal = (status: number, tag: string, message: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson({ _tag: tag, message }, { status })

const domainError = Schema.Union(
  Errors.NotFound,
  Errors.AlreadyExists,
  Errors.Ambiguous,
  Errors.InUse,
  Errors.DependencyCycle,
  Errors.InvalidInput,
  Errors.VersionConflict,
  Errors.StorageError,
  Errors.RemoteError,
  Errors.OperationFailed,
)

const stopping = {
  _tag: "Stopping",
  message: "the server is stopping; the log says what became of what was begun",
}

/** The body that tells of a failure. A bug is written to stderr, and the body says under which id to look for it. */
export const failureBody = (cause: Cause.Cause<unknown>, where: string): Effect.Effect<unknown> => {
  if (Cause.isInterruptedOnly(cause)) return Effect.succeed(stopping)
  return Cause.failureOption(cause).pipe(
    Option.flatMap((error) => Schema.encodeUnknownOption(domainError)(error)),
    Option.match({ onSome: Effect.succeed, onNone: () => bug(cause, where) }),
  )
}

/** A request's method and path, for messages: never its query, its headers or its body. */
export const whereOf = (request: HttpServerRequest): string => `${request.method} ${pathOf(request)}`

export const pathOf = (request: HttpServerRequest): string => request.url.replace(/[?#;].*$/s, "")

/**
 * Turns what a handler failed with into what the contract declares, or into a response.
 * `where` is the method and path, for the log.
 */
export const explain = (
  cause: Cause.Cause<unknown>,
  where: string,
): Effect.Effect<HttpServerResponse.HttpServerResponse, unknown> => {
  if (Cause.isInterruptedOnly(cause)) return Effect.succeed(HttpServerResponse.unsafeJson(stopping, { status: 503 }))
  const error = Cause.squash(cause) as { readonly _tag?: string } | undefined
  switch (error?._tag) {
    case "HttpApiDecodeError":
      return isAboutAnswer(error as HttpApiDecodeError)
        ? logged(Cause.die(error), where)
        : Effect.fail(inWords(error as HttpApiDecodeError))
    case "RequestError":
      return badBody(error as RequestError)
    case "RouteNotFound":
      return Effect.succeed(refusal(404, "NoSuchRoute", `there is no ${where}; /openapi.json lists what there is`))
    default:
      return Option.isSome(Cause.failureOption(cause)) ? Effect.failCause(cause) : logged(cause, where)
  }
}

const logged = (cause: Cause.Cause<unknown>, where: string) =>
  Effect.map(bug(cause, where), (body) => HttpServerResponse.unsafeJson(body, { status: 500 }))

const bug = (cause: Cause.Cause<unknown>, where: string) =>
  Effect.gen(function* () {
    const id = (yield* Id.make).slice(-12)
    yield* Console.error(`bug ${id} in ${where}: ${Cause.pretty(cause)}`)
    return { _tag: "InternalError", message: `something went wrong inside; the server's stderr tells of it as ${id}` }
  })

const badBody = (error: RequestError): Effect.Effect<HttpServerResponse.HttpServerResponse, unknown> => {
  const cause = error.cause
  if (cause instanceof SyntaxError) {
    return new InvalidInput({ field: "", reason: `the body is not JSON: ${cause.message}` })
  }
  return Effect.succeed(refusal(400, "InvalidInput", "the body could not be read to its end"))
}

/** Whether it is our answer that does not fit the contract. The library reports that, too, as the caller's fault. */
const isAboutAnswer = (error: HttpApiDecodeError): boolean => error.message.startsWith("(<declaration schema> <-> ")

/** The first thing that does not fit, as the registry says it of its own input. */
const inWords = ({ issues }: HttpApiDecodeError): InvalidInput => {
  const [first] = issues
  const field = (first?.path ?? []).map(String).join(".")
  if (field === "" && first?._tag === "Type") {
    return new InvalidInput({ field, reason: "the body must be a JSON object with the fields that the contract names" })
  }
  if (first?._tag === "Unexpected") {
    const known = /expected: (.*)$/s.exec(first.message)?.[1]?.replaceAll('"', "").replaceAll(" | ", ", ")
    return new InvalidInput({ field, reason: `is not known here; known are ${known ?? "none"}` })
  }
  // One issue for each thing that it might have been.
  const same = issues.filter((issue) => issue.path.join(".") === first?.path.join("."))
  const expected = same.map((issue) => /^Expected (.*), actual /s.exec(issue.message)?.[1])
  const reason = expected.every((one) => one !== undefined)
    ? `must be ${expected.filter((one) => one !== "undefined").join(" or ")}`
    : (same.find((issue) => !issue.message.startsWith("Expected "))?.message ?? "is not valid")
  return new InvalidInput({ field, reason })
}
