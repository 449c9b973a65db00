/** Shows logs as they come: block by block, each line with whose it is where several are read, or as JSON. */
import type { LogOptions, LogReader, Logs } from "@context-engine/core/services/Logs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { safe, safeJson } from "./render/safe.js"
import { paint, type Screen } from "./render/text.js"
import { prefixOf, speaker } from "./stream.js"
import { errorScreen, print, progress, say, screen } from "./terminal.js"

/** Reads the logs of services to the end, or until whoever looks goes away. */
export const tail = (
  logs: Logs["Type"],
  services: ReadonlyArray<string>,
  options: LogOptions,
  json: boolean,
): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const names = [...new Set(services)]
    const begun = yield* Deferred.make<void>()
    // Gone before the first line is shown: nothing may be drawn between lines.
    const waiting = yield* Effect.fork(Deferred.await(begun).pipe(progress(`reading the log of ${names.join(", ")}`)))
    let first = true
    const shown = Effect.suspend(() => {
      if (!first) return Effect.void
      first = false
      return Effect.zipRight(Deferred.succeed(begun, undefined), Fiber.await(waiting))
    })
    const format = json ? asJson : names.length > 1 ? prefixed(screen()) : asItIs
    const news = breaks(errorScreen())
    const reader: LogReader = {
      onText: (service, text) => Effect.zipRight(shown, print(format(service, text))),
      ...(format === asItIs && { onBytes: (_: string, bytes: Uint8Array) => Effect.zipRight(shown, print(bytes)) }),
      onNews: (service, what, detail) => {
        const line = news(service, what, detail)
        return line === undefined ? Effect.void : Effect.zipRight(shown, say(line))
      },
    }
    yield* logs.read(names, options, reader).pipe(Effect.ensuring(Fiber.interrupt(waiting)))
  })

/** The core gives whole lines, without anything that a terminal would act on. */
const asItIs = (_: string, text: string): string => text

const linesOf = (text: string): ReadonlyArray<string> => text.slice(0, -1).split("\n")

const asJson = (service: string, text: string): string =>
  linesOf(text)
    .map((line) => `${safeJson({ service, line })}\n`)
    .join("")

const prefixed = (to: Screen) => {
  const prefixes = new Map<string, string>()
  return (service: string, text: string): string => {
    const known = prefixes.get(service)
    const prefix =
      known ?? `${prefixOf(to, { text: service, style: speaker(prefixes.size) })}${paint(to, "faint", "│")} `
    prefixes.set(service, prefix)
    return `${prefix}${text.slice(0, -1).replaceAll("\n", () => `\n${prefix}`)}\n`
  }
}

type News = "gap" | "down" | "up" | "failed"

/** News in words; of the link to a server once for each break, however many of its logs are read. */
const breaks = (to: Screen) => {
  const down = new Set<string>()
  return (service: string, news: News, detail = ""): string | undefined => {
    const server = safe(service.split("/")[0] ?? service)
    const our = (text: string) => paint(to, "faint", `── ${text}`)
    if (news === "gap") return our(`${safe(service)}: lines were rotated away before they could be read`)
    if (news === "failed") return our(`${safe(service)} is not read: ${safe(detail)}`)
    if (down.has(server) === (news === "down")) return undefined
    if (news === "up") {
      down.delete(server)
      return our(`the link to ${server} is up again`)
    }
    down.add(server)
    return our(`the link to ${server} is down; it is tried again and again, and no line is lost`)
  }
}
