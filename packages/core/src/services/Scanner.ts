/** Finds out what runs on a server, and how that differs from the registry. Registers nothing unless told to. */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Commands } from "../Commands.js"
import { type RegistryError, RemoteError } from "../Errors.js"
import * as Id from "../Id.js"
import { ReadModels } from "../ReadModels.js"
import type { ServerRow } from "../views/servers.js"
import { Hosts } from "./Hosts.js"
import { findServer } from "./names.js"
import { type Applied, applyFindings, knownOf } from "./scanner/apply.js"
import { compare } from "./scanner/compare.js"
import { candidatesOf } from "./scanner/edges.js"
import type { Finding } from "./scanner/finding.js"
import { largest, longest, type SectionName, scanScript, sectionNames } from "./scanner/host.js"
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

export class Scanner extends Context.Tag("@context-engine/core/Scanner")<
  Scanner,
  {
    /** Looks at a server in one round trip and compares what it finds with the registry. Changes nothing, here or there. */
    readonly scan: (server: string) => Effect.Effect<ScanReport, RegistryError | RemoteError>
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

      const look = (server: ServerRow) =>
        Effect.gen(function* () {
          const mark = `scan-${yield* Id.make}`
          const command = { script: scanScript, args: [mark], timeout: (longest + 5) * 1_000, maxOutput: largest }
          const { stdout } = yield* hosts.run(server, command)
          if (!stdout.includes(`\n${mark} over\n`)) return yield* unreadable(server)
          return readSections(sectionsOf(stdout, mark))
        })

      return Scanner.of({
        scan: Effect.fn("Scanner.scan")(function* (name) {
          const server = yield* findServer(models, name)
          const [took, seen] = yield* Effect.timed(look(server))
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
        }),
        apply: Effect.fn("Scanner.apply")(function* (name, findings) {
          return yield* applyFindings(models, commands, yield* findServer(models, name), findings)
        }),
      })
    }),
  )
}

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
