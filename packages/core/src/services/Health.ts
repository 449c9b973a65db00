/** Whether services are well: each asked at its health endpoint, from its own host. */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Commands } from "../Commands.js"
import { DeadlineError, withDeadline } from "../Deadline.js"
import { entity, HealthChecked, type HealthStatus } from "../domain/Service.js"
import type { RegistryError, RemoteError, StorageError } from "../Errors.js"
import { ReadModels } from "../ReadModels.js"
import { plain } from "./deployer/output.js"
import { Hosts } from "./Hosts.js"
import { findServices, type Placed, placeAll } from "./names.js"

/** What one check found. `unknown` means there is nothing to ask, or no way to ask it. */
export interface HealthReport {
  readonly service: string
  readonly server: string
  readonly status: HealthStatus
  /** In words: `200 in 12 ms`, `nothing listens on port 3000`. */
  readonly detail: string
  /** Milliseconds to the response's head. */
  readonly latency: number | null
  /** ISO 8601 UTC. */
  readonly checkedAt: string
}

/** How long an endpoint may take, and from when on an answer counts as slow, in milliseconds. */
const deadline = 10_000
const slow = 2_000

/** How many at once: so many that those which keep silent do not hold up the rest. */
const concurrency = 128

export class Health extends Context.Tag("@context-engine/core/Health")<
  Health,
  {
    /** Checks the named services, or all, and records what it found. */
    readonly check: (names?: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<HealthReport>, RegistryError>
    /** Checks one service without recording it. */
    readonly probe: (placed: Placed) => Effect.Effect<HealthReport, StorageError>
    /** Records a report. */
    readonly record: (placed: Placed, report: HealthReport) => Effect.Effect<void, StorageError>
  }
>() {
  static readonly layer = Layer.effect(
    Health,
    Effect.gen(function* () {
      const models = yield* ReadModels
      const commands = yield* Commands
      const hosts = yield* Hosts

      const ask = ({ server, service }: Placed): Effect.Effect<Answer, StorageError> => {
        const endpoint = service.healthEndpoint
        if (endpoint === null) return Effect.succeed(unanswered("unknown", "it has no health endpoint"))
        const port = service.port
        if (endpoint.startsWith("/") && port === null) {
          return Effect.succeed(unanswered("unknown", "it has a health path but no port"))
        }
        const response: Effect.Effect<Response, RemoteError | StorageError | FetchFailed> = endpoint.startsWith("/")
          ? hosts.get(server, { port: port as number, path: endpoint, timeout: deadline })
          : fetchUrl(endpoint)
        const failed = (error: RemoteError | FetchFailed) =>
          Effect.succeed(unanswered(isAway(error) ? "unknown" : "unhealthy", error.message))
        return response.pipe(Effect.map(judge), Effect.catchTags({ RemoteError: failed, FetchFailed: failed }))
      }

      const probe = (placed: Placed) =>
        Effect.gen(function* () {
          const answer = yield* ask(placed)
          const checkedAt = DateTime.formatIso(yield* DateTime.now)
          return { service: placed.service.name, server: placed.server.name, ...answer, checkedAt }
        })

      const record = ({ server, service: { id } }: Placed, report: HealthReport) =>
        Effect.gen(function* () {
          // What the log says now: others check, too, and a change is told once.
          const service = yield* models.services.get(id)
          if (service === undefined) return
          yield* commands.record(entity.aggregate, id, [
            HealthChecked({
              service: service.name,
              server: server.name,
              serverId: server.id,
              status: report.status,
              previous: service.healthStatus,
              detail: report.detail,
              latency: report.latency,
              at: report.checkedAt,
            }),
          ])
        })

      /** Asks, and records the answer. What another machine alone can ask stays as it is known. */
      const look = (one: Placed): Effect.Effect<HealthReport, StorageError> =>
        Effect.gen(function* () {
          const asksHost = one.service.healthEndpoint?.startsWith("/") ?? false
          const away = asksHost ? yield* hosts.elsewhere(one.server) : undefined
          if (away === undefined) return yield* Effect.tap(probe(one), (report) => record(one, report))
          const checkedAt = DateTime.formatIso(yield* DateTime.now)
          const { healthStatus: status, name: service } = one.service
          return { service, server: one.server.name, ...unanswered(status, away.message), checkedAt }
        })

      return Health.of({
        probe,
        record,
        check: Effect.fn("Health.check")(function* (names = []) {
          const placed =
            names.length === 0
              ? yield* placeAll(models, yield* models.services.list())
              : yield* findServices(models, names)
          const each = new Map(placed.map((one) => [one.service.id, one])).values()
          return yield* Effect.forEach(each, look, { concurrency })
        }),
      })
    }),
  )
}

/** Milliseconds to the response's head. */
interface Response {
  readonly status: number
  readonly latency: number
}

type Answer = Pick<HealthReport, "status" | "detail" | "latency">

const unanswered = (status: HealthStatus, detail: string): Answer => ({ status, detail, latency: null })

/** 2xx is healthy, unless it was slow; anything else is not. */
const judge = (response: Response): Answer => {
  const latency = Math.round(response.latency)
  const detail = `${response.status} in ${latency} ms`
  if (response.status < 200 || response.status > 299) return { status: "unhealthy", detail, latency }
  return latency > slow
    ? { status: "degraded", detail: `${detail}: slow`, latency }
    : { status: "healthy", detail, latency }
}

/** Whether it was the server that could not be reached, or logged in to: that says nothing about the service. */
const isAway = (error: RemoteError | FetchFailed): boolean =>
  error._tag === "RemoteError" && error.reason !== "refused" && error.reason !== "no-answer"

class FetchFailed {
  readonly _tag = "FetchFailed"
  constructor(readonly message: string) {}
}

const fetchUrl = (url: string) =>
  Effect.gen(function* () {
    const started = performance.now()
    const response = yield* Effect.tryPromise({
      try: (given) => withDeadline(deadline, given, (signal) => fetch(url, { redirect: "manual", signal })),
      catch: (error) => new FetchFailed(whyNot(url, error)),
    })
    const latency = performance.now() - started
    // Only the head counts; the body may be broken off already.
    yield* Effect.ignore(Effect.tryPromise(async () => response.body?.cancel()))
    return { status: response.status, latency }
  })

/** Why a URL could not be fetched, in words. */
const whyNot = (url: string, error: unknown): string => {
  if (!URL.canParse(url)) return `${url} is not a URL`
  const { host, hostname } = new URL(url)
  const cause = causeOf(error)
  if (cause instanceof DeadlineError) return `${host} gave no answer within ${deadline / 1000} s`
  switch ((cause as { readonly code?: unknown }).code) {
    case "ECONNREFUSED":
      return `nothing listens at ${host} (is the service running, and is the URL right?)`
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the name ${hostname} cannot be resolved (check its spelling and this machine's DNS)`
    default:
      return `${host} could not be asked: ${plain(cause.message).replaceAll(/\s+/g, " ").slice(0, 200)}`
  }
}

/** What is behind `fetch failed`: a cause, or the first of several, one for each address of a name. */
const causeOf = (error: unknown): Error => {
  const inner = error instanceof Error && error.cause !== undefined ? error.cause : error
  const first = inner instanceof AggregateError ? inner.errors[0] : inner
  return first instanceof Error ? first : new Error(String(first))
}
