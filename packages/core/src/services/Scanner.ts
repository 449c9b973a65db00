/** Finds out what runs on a server, and how that differs from the registry. Registers nothing unless told to. */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Commands } from "../Commands.js"
import { type Ambiguous, type NotFound, type RegistryError, RemoteError, type StorageError } from "../Errors.js"
import * as Id from "../Id.js"
import { ReadModels } from "../ReadModels.js"
import type { ServerRow } from "../views/servers.js"
import { Hosts } from "./Hosts.js"
import { inTime } from "./inTime.js"
import { findServer, findServers } from "./names.js"
import { type Applied, applyFindings, knownOf } from "./scanner/apply.js"
import { compare } from "./scanner/compare.js"
import { candidatesOf } from "./scanner/edges.js"
import type { Finding } from "./scanner/finding.js"
import { largest, longest, proxiesScript, type SectionName, scanScript, sectionNames } from "./scanner/host.js"
import { type SectionStatus, sectionsOf } from "./scanner/sections.js"
import { readSections, type Seen } from "./scanner/seen.js"

export type { Applied } from "./scanner/apply.js"
export type { Evidence } from "./scanner/candidates.js"
export type { FieldChange, Finding } from "./scanner/finding.js"

/** How a tool on the host answered, and how many things it told of. */
export interface ScanSource {
  readonly source: SectionName
  readonly status: SectionStatus
  readonly found: number
}

export interface ScanReport {
  readonly server: string
  /** ISO 8601 UTC. */
  readonly scannedAt: string
  /** Milliseconds, connecting included. */
  readonly took: number
  readonly sources: ReadonlyArray<ScanSource>
  /** Services, then routes, then dependencies. */
  readonly findings: ReadonlyArray<Finding>
  /** How many things are as the registry has them. */
  readonly unchanged: number
}

/** What became of the scan of one server among several: a report, or why there is none. */
export interface ServerScan {
  readonly server: string
  readonly report: ScanReport | null
  readonly error: { readonly reason: RemoteError["reason"]; readonly message: string } | null
}

export interface ScanAllOptions {
  /** Milliseconds for each server, connecting included. Default 60,000. */
  readonly timeout?: number | undefined
  /** How many servers at once. Default 16. */
  readonly concurrency?: number | undefined
  /** Called with each as soon as it is over. */
  readonly onScan?: (scan: ServerScan) => Effect.Effect<void>
}

/** The sites of the reverse proxies on a server, and how each proxy answered. */
export interface ProxySites {
  readonly status: Readonly<Record<"nginx" | "caddy", SectionStatus>>
  readonly sites: Seen["sites"]
}

export class Scanner extends Context.Tag("@context-engine/core/Scanner")<
  Scanner,
  {
    /** Looks at a server in one round trip and compares what it finds with the registry. Changes nothing, here or there. */
    readonly scan: (server: string) => Effect.Effect<ScanReport, RegistryError | RemoteError>
    /** The same for several servers, or for all where none is named, in the order of their names. One that is dead costs only its own deadline. */
    readonly scanAll: (
      servers: ReadonlyArray<string>,
      options?: ScanAllOptions,
    ) => Effect.Effect<ReadonlyArray<ServerScan>, NotFound | Ambiguous | StorageError>
    /** What nginx and caddy on a server are configured to do, within `timeout` milliseconds. */
    readonly sites: (
      server: string,
      timeout: number,
    ) => Effect.Effect<ProxySites, NotFound | Ambiguous | RemoteError | StorageError>
    /**
     * Registers chosen findings of a scan of that server as one transaction. What is registered already is left alone, so
     * doing it twice does nothing; what cannot be done is `skipped` with its reason.
     */
    readonly apply: (server: string, findings: ReadonlyArray<Finding>) => Effect.Effect<Applied, RegistryError>
  }
>() {
  static readonly layer = Layer.effect(
    Scanner,
    Effect.gen(function* () {
      const models = yield* ReadModels
      const commands = yield* Commands
      const hosts = yield* Hosts

      const look = (server: ServerRow, script: string) =>
        Effect.gen(function* () {
          const mark = `scan-${yield* Id.make}`
          const command = { script, args: [mark], timeout: (longest + 5) * 1_000, maxOutput: largest }
          const { stdout } = yield* hosts.run(server, command)
          if (!stdout.includes(`\n${mark} over\n`)) return yield* unreadable(server)
          return readSections(sectionsOf(stdout, mark))
        })

      const scan = (server: ServerRow) =>
        Effect.gen(function* () {
          const [took, seen] = yield* Effect.timed(look(server, scanScript))
          const comparison = compare(candidatesOf(seen), seen, yield* knownOf(models, server))
          return {
            server: server.name,
            scannedAt: DateTime.formatIso(yield* DateTime.now),
            took: Math.round(Duration.toMillis(took)),
            sources: sectionNames.map((source) => ({
              source,
              status: seen.status[source],
              found: found(seen, source),
            })),
            ...comparison,
          }
        })

      return Scanner.of({
        scan: Effect.fn("Scanner.scan")(function* (name) {
          return yield* scan(yield* findServer(models, name))
        }),
        scanAll: Effect.fn("Scanner.scanAll")(function* (names, options = {}) {
          const { concurrency = 16, onScan = () => Effect.void, timeout = 60_000 } = options
          const named = yield* findServers(models, names)
          const servers = names.length === 0 ? yield* models.servers.list() : named
          const one = (server: ServerRow) =>
            inTime(hosts, server, timeout, scan(server)).pipe(
              Effect.map((report): ServerScan => ({ server: server.name, report, error: null })),
              Effect.catchTag("RemoteError", (error) => Effect.succeed(failed(server, error))),
              Effect.tap(onScan),
            )
          return yield* Effect.forEach([...servers].sort(byName), one, { concurrency })
        }),
        sites: Effect.fn("Scanner.sites")(function* (name, timeout) {
          const server = yield* findServer(models, name)
          const { sites, status } = yield* inTime(hosts, server, timeout, look(server, proxiesScript))
          return { sites, status: { nginx: status.nginx, caddy: status.caddy } }
        }),
        apply: Effect.fn("Scanner.apply")(function* (name, findings) {
          return yield* applyFindings(models, commands, name, findings)
        }),
      })
    }),
  )
}

const byName = (a: ServerRow, b: ServerRow): number => (a.name < b.name ? -1 : 1)

const failed = ({ name: server }: ServerRow, { message, reason }: RemoteError): ServerScan => ({
  server,
  report: null,
  error: { reason, message },
})

const unreadable = (server: ServerRow) =>
  new RemoteError({
    reason: "refused",
    host: server.name,
    message: `${server.name} answered, but not with anything that can be read: is its login shell a POSIX one?`,
  })

const found = (seen: Seen, source: SectionName): number => {
  switch (source) {
    case "systemd":
      return seen.units.length
    case "docker":
    case "podman":
      return seen.containers.filter((one) => one.tool === source).length
    case "nginx":
    case "caddy":
      return seen.sites.filter((one) => one.proxy === source).length
    default:
      return seen[source].length
  }
}
