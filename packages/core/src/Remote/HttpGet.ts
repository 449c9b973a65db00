/** One plain HTTP GET over loopback, or over a stream that ends there. Only the head of the answer is looked at. */
import * as Http from "node:http"
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import { RemoteError } from "../Errors.js"
import type { RemoteRequest, RemoteResponse } from "../Remote.js"
import { clean } from "./Text.js"

/**
 * Asks, and answers with the status and the time to the head. `stream` is the way to the port; absent, a socket is opened.
 * Fails with `timeout`, or with `refused` when nothing listens or what listens does not answer in HTTP.
 */
export const httpGet = (
  host: string,
  request: RemoteRequest,
  stream?: Duplex,
): Effect.Effect<RemoteResponse, RemoteError> =>
  Effect.async<RemoteResponse, RemoteError>((resume) => {
    const fail = (error: unknown) => resume(Effect.fail(failure(host, request, error)))
    const began = performance.now()
    const sent = send(request, stream, fail)
    sent?.on("response", (response) => {
      resume(Effect.succeed({ status: response.statusCode ?? 0, latency: performance.now() - began }))
      response.on("error", () => {})
      sent.destroy()
      stream?.destroy()
    })
    return Effect.sync(() => {
      sent?.destroy()
      stream?.destroy()
    })
  })

/** Bounds a whole exchange by the request's own timeout. */
export const within =
  (host: string, request: RemoteRequest) =>
  <A, E>(exchange: Effect.Effect<A, E>): Effect.Effect<A, E | RemoteError> =>
    Effect.timeoutFail(exchange, {
      duration: request.timeout,
      onTimeout: () =>
        new RemoteError({
          reason: "no-answer",
          host,
          message: `${host}: port ${request.port} gave no answer to GET ${clean(request.path)} within ${request.timeout / 1000} s`,
        }),
    })

/** Nothing accepts connections there. */
export const nothingListens = (host: string, port: number, cause: unknown): RemoteError =>
  new RemoteError({
    reason: "refused",
    host,
    message: `${host}: nothing listens on port ${port} (is the service running, and is the port right?)`,
    cause,
  })

const send = (
  { port, path }: RemoteRequest,
  stream: Duplex | undefined,
  fail: (error: unknown) => void,
): Http.ClientRequest | undefined => {
  try {
    // A connection of its own in both cases; node ignores createConnection when it is given an agent, even `false`.
    const via = stream === undefined ? { agent: false } : { createConnection: () => asSocket(stream) }
    return Http.request({ host: "127.0.0.1", port, path, method: "GET", ...via })
      .on("error", fail)
      .end()
  } catch (error) {
    // Node refuses a path with spaces or control characters before anything is sent.
    fail(error)
    return undefined
  }
}

/** What node:http calls on a socket and an SSH channel does not have. */
const asSocket = (stream: Duplex): Duplex =>
  Object.assign(stream, {
    setKeepAlive: () => stream,
    setNoDelay: () => stream,
    setTimeout: () => stream,
    ref: () => stream,
    unref: () => stream,
    destroySoon: () => stream.destroy(),
  })

const failure = (host: string, { port, path }: RemoteRequest, error: unknown): RemoteError => {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === "ECONNREFUSED") return nothingListens(host, port, error)
  const what =
    code === "ERR_UNESCAPED_CHARACTERS"
      ? `${clean(path)} is not a path that HTTP can carry`
      : `port ${port} accepted the connection but did not answer in HTTP: ${clean(message)}`
  return new RemoteError({ reason: "refused", host, message: `${host}: ${what}`, cause: error })
}
