/** Logs over HTTP: the last lines as one answer, or all that is added as server-sent events. */
import { RemoteError } from "@context-engine/core/Errors"
import { type LogOptions, Logs } from "@context-engine/core/services/Logs"
import { Registry } from "@context-engine/core/services/Registry"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Mailbox from "effect/Mailbox"
import * as Stream from "effect/Stream"
import { failureBody, whereOf } from "../failures.js"
import { type Message, telling, wantsEvents } from "./events.js"
import { linesOf } from "./lines.js"
import { since as momentOf } from "./reading.js"

interface Asked {
  readonly n?: number | undefined
  readonly since?: string | undefined
  readonly grep?: string | undefined
}

/** A service that there is not is an error response; from then on it is the stream that tells, if one is wanted. */
export const readLogs = (request: HttpServerRequest, name: string, { grep, n, since }: Asked) =>
  Effect.gen(function* () {
    const from = yield* momentOf(since)
    const registry = yield* Registry
    const row = yield* registry.services.get(name)
    const service = `${row.server}/${row.name}`
    const options: LogOptions = {
      lines: n ?? (from === undefined ? 100 : "all"),
      ...(from === undefined ? {} : { since: from }),
      ...(grep === undefined ? {} : { grep: literally(grep) }),
    }
    return wantsEvents(request)
      ? telling(yield* following(service, options, whereOf(request)))
      : yield* lastLines(service, options)
  })

/** A pattern of the caller's own could keep the whole server busy for ever. */
const literally = (text: string): RegExp => new RegExp(text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"))

/** How many characters of lines an answer holds, and how long it may take to get them. */
const most = 1024 * 1024
const patience = 60_000

const lastLines = (service: string, options: LogOptions) =>
  Effect.gen(function* () {
    const logs = yield* Logs
    const lines: Array<string> = []
    let size = 0
    let truncated = false
    const onText = (_: string, text: string) =>
      Effect.sync(() => {
        for (const line of linesOf(text)) {
          lines.push(line)
          size += line.length + 1
        }
        let dropped = 0
        while (size > most) size -= (lines[dropped++] as string).length + 1
        lines.splice(0, dropped)
        truncated ||= dropped > 0
      })
    yield* logs
      .read([service], options, { onText })
      .pipe(Effect.disconnect, Effect.timeoutFail({ duration: patience, onTimeout: () => late(service) }))
    return { service, lines, truncated }
  })

const late = (service: string) =>
  new RemoteError({
    reason: "timeout",
    host: service.replace(/\/.*$/s, ""),
    message: `the log of ${service} did not come within ${patience / 1000} s`,
  })

/** Ends what nobody else would: a log is followed for ever, and the server must be able to stop. */
export class Stopping extends Context.Tag("@context-engine/http/Stopping")<Stopping, Deferred.Deferred<void>>() {
  static readonly layer = Layer.scoped(
    Stopping,
    Effect.acquireRelease(Deferred.make<void>(), (stopping) => Deferred.succeed(stopping, undefined)),
  )
}

/** How many lines wait for a slow reader; then the log waits, too. */
const capacity = 1024

const following = (service: string, options: LogOptions, where: string) =>
  Effect.map(Effect.all([Logs, Stopping]), ([logs, stopping]) =>
    Stream.unwrapScoped(
      Effect.gen(function* () {
        const messages = yield* Mailbox.make<Message<"line" | "news" | "error">>(capacity)
        const reading = logs.read(
          [service],
          { ...options, follow: true },
          {
            onText: (_, text) =>
              messages.offerAll(linesOf(text).map((line) => ({ event: "line" as const, data: { service, line } }))),
            onNews: (_, news) => messages.offer({ event: "news", data: { service, news } }),
          },
        )
        yield* reading.pipe(
          Effect.catchAllCause((cause) =>
            Effect.flatMap(failureBody(cause, where), (data) => messages.offer({ event: "error", data })),
          ),
          Effect.ensuring(messages.end),
          Effect.forkScoped,
        )
        // Before the reading is interrupted: it may be waiting for room.
        yield* Effect.addFinalizer(() => messages.shutdown)
        return Mailbox.toStream(messages)
      }),
    ).pipe(Stream.interruptWhenDeferred(stopping)),
  )
