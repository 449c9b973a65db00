/** What services write, read where they run: files through their rotation, systemd's journal, containers, pm2. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { OperationFailed, type RegistryError, type RemoteError } from "../Errors.js"
import { ReadModels } from "../ReadModels.js"
import { Hosts } from "./Hosts.js"
import { followEntries } from "./logs/followEntries.js"
import { followFile } from "./logs/followFile.js"
import { LineCutter } from "./logs/lines.js"
import {
  detect,
  detectedSource,
  type LogSource,
  pm2FileName,
  pm2Files,
  pm2Logs,
  registeredSource,
} from "./logs/source.js"
import { findServices, fullName, type Placed } from "./names.js"

export interface LogOptions {
  /** How many of the last lines to begin with. Default 100. */
  readonly lines?: number | "all"
  /** Whether to go on with whatever is added, for ever. Default false. */
  readonly follow?: boolean
  /** Begin no earlier than this, as the journal and engines understand it, for example an ISO 8601 time. Files have no times. */
  readonly since?: string
  /** Only the lines that match. */
  readonly grep?: RegExp
  /** Milliseconds to go on trying when the link is down. Default 30 minutes. */
  readonly patience?: number
}

export interface LogReader {
  /** Whole lines, cleaned of escape codes, as one text that ends with a newline. */
  readonly onText: (service: string, text: string) => Effect.Effect<void>
  /** The same as UTF-8, for lines that needed no cleaning; without it they come as text, too. The bytes are lent until it ends. */
  readonly onBytes?: (service: string, bytes: Uint8Array) => Effect.Effect<void>
  /**
   * `gap`: lines were rotated away while nobody could look. `down` and `up`: the link to its server. `failed`: it cannot be
   * read, and the others are read on.
   */
  readonly onNews?: (service: string, news: "gap" | "down" | "up" | "failed", detail?: string) => Effect.Effect<void>
}

export type LogError = RegistryError | RemoteError | OperationFailed

export class Logs extends Context.Tag("@context-engine/core/Logs")<
  Logs,
  {
    /**
     * Reads the logs of services, all at once. Ends when every one has, or never when it follows. One that cannot be read
     * holds up no other; the first such is the failure at the end.
     */
    readonly read: (
      services: ReadonlyArray<string>,
      options: LogOptions,
      reader: LogReader,
    ) => Effect.Effect<void, LogError>
  }
>() {
  static readonly layer = Layer.effect(
    Logs,
    Effect.gen(function* () {
      const models = yield* ReadModels
      const hosts = yield* Hosts

      const sourcesOf = (placed: Placed): Effect.Effect<ReadonlyArray<LogSource>, LogError> =>
        Effect.gen(function* () {
          const { server, service } = placed
          const ask = (script: string, name: string) =>
            Effect.map(hosts.run(server, { script, args: [name], timeout: 20_000 }), ({ stdout }) => stdout)
          const source =
            registeredSource(service) ??
            detectedSource(service.name, yield* ask(detect, service.name)) ??
            (yield* unknown(placed))
          if (source._tag !== "Pm2") return [source]
          return pm2Files(source.name, yield* ask(pm2Logs, pm2FileName(source.name)))
        })

      const readOne = (placed: Placed, options: LogOptions, reader: LogReader) =>
        Effect.gen(function* () {
          const name = fullName(placed)
          const sources = yield* sourcesOf(placed)
          if (options.since !== undefined && sources.some((source) => source._tag === "File")) yield* noTimes(placed)
          yield* Effect.forEach(sources, (source) => readSource(hosts, placed, name, source, options, reader), {
            concurrency: "unbounded",
            discard: true,
          })
        })

      return Logs.of({
        read: Effect.fn("Logs.read")(function* (services, options, reader) {
          const placed = yield* findServices(models, services)
          const isOne = placed.length === 1
          const read = (one: Placed) =>
            readOne(one, options, reader).pipe(
              Effect.tapError(({ message }) =>
                isOne ? Effect.void : (reader.onNews?.(fullName(one), "failed", message) ?? Effect.void),
              ),
              Effect.either,
            )
          const ended = yield* Effect.forEach(placed, read, { concurrency: "unbounded" })
          yield* Effect.forEach(ended, (one) => one, { discard: true })
        }),
      })
    }),
  )
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

const readSource = (
  hosts: Hosts["Type"],
  { server }: Placed,
  name: string,
  source: LogSource,
  { follow = false, grep, lines = 100, patience, since }: LogOptions,
  reader: LogReader,
) => {
  const cutter = new LineCutter(grep === undefined ? undefined : (line) => grep.test(line))
  const give = (block: string | Uint8Array) => {
    if (block.length === 0) return Effect.void
    if (typeof block === "string") return reader.onText(name, block)
    return reader.onBytes?.(name, block) ?? reader.onText(name, decoder.decode(block))
  }
  const sink = {
    onBytes: (bytes: Uint8Array) => Effect.suspend(() => give(cutter.push(bytes))),
    onNews: (news: "gap" | "down" | "up", detail?: string) =>
      // Half a line before a gap has no other half.
      Effect.suspend(() => (news === "gap" ? give(cutter.finish()) : Effect.void)).pipe(
        Effect.zipRight(reader.onNews?.(name, news, detail) ?? Effect.void),
      ),
  }
  const options = { lines, follow, patience, since }
  const reading =
    source._tag === "File"
      ? followFile(hosts, server, source.path, options, sink)
      : followEntries(hosts, server, source, options, sink)
  return Effect.zipRight(
    reading,
    Effect.suspend(() => give(cutter.finish())),
  )
}

const unknown = (placed: Placed) =>
  new OperationFailed({
    operation: "logs",
    message: `nobody on ${placed.server.name} knows a log of ${placed.service.name}: no systemd unit, container or pm2 process has that name`,
    next: `context infra service update ${fullName(placed)} --log <path>`,
  })

const noTimes = (placed: Placed) =>
  new OperationFailed({
    operation: "logs",
    message: `the log of ${fullName(placed)} is a file, and its lines have no times to go by`,
    next: "say how many lines instead: -n 500, or which: --grep",
  })
