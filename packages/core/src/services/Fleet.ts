/** The servers, looked at: one round trip each, many at once, and one bad server never holds up the rest. */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Commands } from "../Commands.js"
import { entity, ServerChecked, type ServerStatus } from "../domain/Server.js"
import { type RegistryError, RemoteError, type StorageError } from "../Errors.js"
import { ReadModels, type Views } from "../ReadModels.js"
import type { ServerRow } from "../views/servers.js"
import { askedBetween } from "./askedBetween.js"
import { Hosts } from "./Hosts.js"
import { findServers } from "./names.js"
import { type Metrics, parseProbe, probeScript, resourcesOf } from "./probe.js"

/** What a look at a server found. `reason` says in words why it is not online. */
export interface ServerReport {
  readonly server: string
  readonly status: ServerStatus
  readonly reason: string | null
  /** Milliseconds for the whole look, connecting included, without the time people took to accept a host key. */
  readonly latency: number | null
  readonly metrics: Metrics | null
  /** ISO 8601 UTC. */
  readonly checkedAt: string
  /** The last time it was reached, this time included. */
  readonly lastSeen: string | null
}

/** How long one server may take, connecting included, before it counts as offline. */
const deadline = Duration.seconds(15)

/** How many at once: so many that those which keep silent do not hold up the rest, each being one socket. */
const concurrency = 128

export class Fleet extends Context.Tag("@context-engine/core/Fleet")<
  Fleet,
  {
    /** Looks at the named servers, or at all, and records what it found. In the order of their names. */
    readonly status: (names?: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<ServerReport>, RegistryError>
  }
>() {
  static readonly layer = Layer.effect(
    Fleet,
    Effect.gen(function* () {
      const models = yield* ReadModels
      const commands = yield* Commands
      const hosts = yield* Hosts

      /** The probe's output, and how long it took to come. */
      const probe = (server: ServerRow) =>
        Effect.timed(hosts.run(server, { script: probeScript, timeout: 10_000 }).pipe(within(server)))

      /** Looks, and records what it found. From another machine than a server is local to there is nothing to be found. */
      const look = (server: ServerRow): Effect.Effect<ServerReport, StorageError> =>
        Effect.flatMap(hosts.elsewhere(server), (away) =>
          away === undefined
            ? Effect.tap(reach(server), (report) => record(server, report))
            : Effect.map(DateTime.now, (now) => asKnown(server, away, DateTime.formatIso(now))),
        )

      const reach = (server: ServerRow): Effect.Effect<ServerReport, StorageError> =>
        Effect.gen(function* () {
          const found = yield* Effect.either(askedBetween(hosts, server, probe(server)))
          const checkedAt = DateTime.formatIso(yield* DateTime.now)
          const about = { server: server.name, checkedAt }
          if (found._tag === "Right") {
            const [took, { stdout }] = found.right
            const metrics = parseProbe(stdout)
            const latency = Math.round(Duration.toMillis(took))
            return { ...about, ...judge(metrics), latency, metrics, lastSeen: checkedAt }
          }
          if (found.left._tag === "StorageError") return yield* found.left
          const { message: reason } = found.left
          return { ...about, status: "offline", reason, latency: null, metrics: null, lastSeen: server.lastSeen }
        })

      const record = ({ id }: ServerRow, report: ServerReport) =>
        Effect.gen(function* () {
          // What the log says now: others look, too, and a change is told once.
          const server = yield* models.servers.get(id)
          if (server === undefined) return
          yield* commands.record(entity.aggregate, id, [
            ServerChecked({
              server: server.name,
              status: report.status,
              previous: server.status,
              reason: report.reason,
              os: report.metrics?.os ?? null,
              resources: report.metrics === null ? null : resourcesOf(report.metrics),
              at: report.checkedAt,
            }),
          ])
        })

      return Fleet.of({
        status: Effect.fn("Fleet.status")(function* (names = []) {
          const servers = names.length === 0 ? yield* models.servers.list() : yield* namedServers(models, names)
          return yield* Effect.forEach(servers, look, { concurrency })
        }),
      })
    }),
  )
}

/** What the log says of a server that only another machine can look at. */
const asKnown = ({ lastSeen, name, status }: ServerRow, away: RemoteError, checkedAt: string): ServerReport => ({
  server: name,
  status,
  reason: away.message,
  latency: null,
  metrics: null,
  checkedAt,
  lastSeen,
})

const namedServers = (models: Views, names: ReadonlyArray<string>) =>
  Effect.map(findServers(models, names), (servers) => [...servers].sort((a, b) => (a.name < b.name ? -1 : 1)))

const within =
  (server: ServerRow) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | RemoteError> =>
    Effect.timeoutFail(effect, {
      duration: deadline,
      onTimeout: () =>
        new RemoteError({
          reason: "timeout",
          host: server.name,
          message: `no answer within ${Duration.toSeconds(deadline)} s`,
        }),
    })

/** Reached, but is it well? Nearly full disks and memory are not. */
const judge = (metrics: Metrics | null): { readonly status: ServerStatus; readonly reason: string | null } => {
  if (metrics === null) return { status: "degraded", reason: "it answered, but not with anything that can be read" }
  const troubles = [
    full("disk", metrics.disk, 0.95),
    full("memory", metrics.memory, 0.97),
    metrics.load !== null && metrics.cpus !== null && metrics.load[2] > metrics.cpus * 4
      ? `load ${metrics.load[2]} over 15 minutes on ${metrics.cpus} processors`
      : undefined,
  ].filter((trouble) => trouble !== undefined)
  return troubles.length === 0
    ? { status: "online", reason: null }
    : { status: "degraded", reason: troubles.join("; ") }
}

const full = (what: string, size: Metrics["disk"], limit: number): string | undefined => {
  if (size === null || size.total === 0) return undefined
  const used = 1 - size.available / size.total
  return used > limit ? `${what} ${Math.round(used * 100)} % full` : undefined
}
