/** Follows a log that keeps entries: the journal of systemd, or a container's. */
import * as Effect from "effect/Effect"
import { OperationFailed } from "../../Errors.js"
import type { ServerRow } from "../../views/servers.js"
import type { Hosts } from "../Hosts.js"
import { reconnecting } from "../reconnecting.js"
import { type Entry, readContainer, readJournal } from "./entries.js"
import type { LogSink, ReadError, ReadOptions } from "./followFile.js"
import { container, journal } from "./scripts.js"
import type { LogSource } from "./source.js"

type EntrySource = Exclude<LogSource, { readonly _tag: "File" }>

/** Where a reader is: after this many entries that bear the last time or cursor it has seen. */
interface Place {
  at: string
  count: number
}

/** Reads the last entries and, if asked, whatever is added, for ever. Each comes once. */
export const followEntries = (
  hosts: Hosts["Type"],
  server: ServerRow,
  source: EntrySource,
  options: ReadOptions & { readonly since?: string | undefined },
  sink: LogSink,
): Effect.Effect<void, ReadError> => {
  const place: Place = { at: "", count: 0 }
  const once = (heard: Effect.Effect<void>) => readOnce(hosts, server, source, options, place, { ...sink, heard })
  return options.follow ? reconnecting(once, { onNews: sink.onNews, patience: options.patience }) : once(Effect.void)
}

const readOnce = (
  hosts: Hosts["Type"],
  server: ServerRow,
  source: EntrySource,
  { follow, lines, since = "" }: ReadOptions & { readonly since?: string | undefined },
  place: Place,
  { heard, onBytes }: LogSink & { readonly heard: Effect.Effect<void> },
): Effect.Effect<void, ReadError> =>
  Effect.gen(function* () {
    const isJournal = source._tag === "Journal"
    const names = isJournal ? [source.unit] : [source.engine, source.name]
    const read = isJournal ? readJournal : readContainer
    // An engine goes on from a time, and gives again what it gave at that very time; the journal goes on after a cursor.
    let skip = isJournal ? 0 : place.count
    let again = place.at
    let open = ""
    let said = ""
    const decoder = new TextDecoder()
    const encoder = new TextEncoder()
    const take = (entry: Entry): string => {
      if (skip > 0 && entry.at === again) {
        skip--
        return ""
      }
      skip = 0
      again = ""
      place.count = entry.at === place.at ? place.count + 1 : 1
      place.at = entry.at
      return `${entry.text}\n`
    }
    const push = (data: Uint8Array) =>
      Effect.suspend(() => {
        const whole = (open + decoder.decode(data, { stream: true })).split("\n")
        open = whole.pop() ?? ""
        const text = whole
          .map((line) => {
            const entry = read(line)
            if (entry === undefined) said = line.slice(0, 300)
            return entry === undefined ? "" : take(entry)
          })
          .join("")
        return text === "" ? Effect.void : onBytes(encoder.encode(text))
      }).pipe(Effect.uninterruptible)
    const result = yield* hosts.run(server, {
      script: isJournal ? journal : container,
      args: [...names, String(lines), follow ? "1" : "", isJournal ? journalTime(since) : since, place.at],
      timeout: 2 ** 31 - 1,
      maxOutput: 4096,
      onOutput: ({ data, stream }) => Effect.zipRight(heard, stream === "stdout" ? push(data) : Effect.void),
    })
    if (result.exitCode !== 0) {
      const why = result.stderr.trim().split("\n")[0] || said || `it exited with ${result.exitCode}`
      return yield* new OperationFailed({
        operation: "logs",
        message: `the log of ${names.at(-1)} on ${server.name} cannot be read: ${why.slice(0, 300)}`,
        next: "is that its name there, and may that login read it?",
      })
    }
  })

/** Older journals cannot read ISO 8601 times in UTC; all of them can read seconds since 1970. */
const journalTime = (since: string): string => {
  const millis = /^\d{4}-\d\d-\d\dT.*Z$/.test(since) ? Date.parse(since) : Number.NaN
  return Number.isNaN(millis) ? since : `@${millis / 1000}`
}
