/** Server-sent events: what is told as it happens. */

import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"

/** One server-sent event. */
export interface Message<Name extends string = string> {
  readonly event: Name
  readonly data: unknown
}

/** Whether the caller wants to be told as it happens. */
export const wantsEvents = (request: HttpServerRequest): boolean =>
  /\btext\/event-stream\b/i.test(request.headers.accept ?? "")

/** The response that tells all of them. A line of comment every 15 seconds keeps proxies from hanging up. */
export const telling = (messages: Stream.Stream<Message>): HttpServerResponse.HttpServerResponse => {
  const encoded = messages.pipe(
    Stream.map(({ data, event }) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    Stream.merge(Stream.repeatValue(": still at it\n\n").pipe(Stream.schedule(Schedule.spaced("15 seconds"))), {
      haltStrategy: "left",
    }),
    Stream.encodeText,
  )
  return HttpServerResponse.stream(encoded, { contentType: "text/event-stream" })
}
