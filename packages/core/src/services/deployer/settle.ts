/** Deployments that nobody has seen to their end: found on the host, and brought into the log. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Attendant } from "../../Attendant.js"
import { Ambiguous, OperationFailed } from "../../Errors.js"
import { Origin } from "../../Origin.js"
import { type DeploymentRow, isOver } from "../../views/deployments.js"
import { beginsId, findAgain, findService, fullName, hasId, type Placed } from "../names.js"
import { recordStart } from "./begin.js"
import { finish } from "./finish.js"
import { heldBy } from "./held.js"
import type { KnownRun } from "./host/Ledger.js"
import type { Parts } from "./parts.js"
import { type Run, resumed } from "./run.js"
import type { DeployError, DeployerShape, Watch } from "./types.js"

/** How long after the end of its commands a deployment may still be in the hands of another machine, in seconds. */
const grace = 30

export const makeSettle = (parts: Parts): Pick<DeployerShape, "attach" | "cancel" | "settle"> => ({
  settle: Effect.fn("Deployer.settle")(function* (name: string) {
    return yield* settlePlaced(parts, yield* findService(parts.models, name), {})
  }),
  attach: Effect.fn("Deployer.attach")(function* (target: string, watch: Watch = {}) {
    const found = yield* find(parts, target, watch)
    return "row" in found ? found.row : yield* finish(parts, yield* adopt(parts, found.run), undefined)
  }),
  cancel: Effect.fn("Deployer.cancel")(function* (target: string, watch: Watch = {}) {
    const found = yield* find(parts, target, watch)
    if ("row" in found) {
      return yield* new OperationFailed({
        operation: "deploy",
        message: `deployment ${found.row.id.slice(0, 18)} of ${found.row.service} is over already: ${found.row.status}`,
        next: `context infra history ${found.row.service}`,
      })
    }
    yield* parts.commands.ready
    const { actor, machine } = yield* Origin
    yield* parts.ledger.cancel(found.run.at, `it was cancelled by ${actor} on ${machine}`)
    return yield* finish(parts, yield* adopt(parts, found.run), undefined)
  }),
})

/**
 * Settles what the log still holds for deployments on their way, as far as their host says that they are over and nobody is
 * with them any more. A host that cannot be reached now is asked another time.
 */
export const settlePlaced = (
  parts: Parts,
  placed: Placed,
  watch: Watch,
): Effect.Effect<ReadonlyArray<DeploymentRow>, DeployError> =>
  Effect.gen(function* () {
    const open = yield* openOf(parts, placed)
    const settled: Array<DeploymentRow> = []
    for (const row of open) {
      const { runs } = yield* parts.ledger.inspect(placed.server, row.service, [row.id])
      const run = runs.find(({ id }) => id === row.id)
      if (run === undefined || !(yield* isLeft(run, row))) continue
      yield* watch.onStep?.("prepare", `settling deployment ${row.id.slice(0, 18)}`) ?? Effect.void
      const now = yield* Clock.currentTimeMillis
      const patience = 10_000
      const known = resumed(
        { placed, id: row.id, row, meta: run.meta, now },
        { patience, environment: watch.environment ?? {} },
      )
      settled.push(yield* finish(parts, known, undefined))
    }
    return settled
  })

/** The deployments that the log holds for on their way, the newest first. */
const openOf = (parts: Parts, { service }: Placed) =>
  parts.models.deployments.list({
    where: { serviceId: service.id, status: "in_progress" },
    order: { by: "startedAt", descending: true },
  })

/** Whether a deployment has been left: it does not run, and who began it is gone, or has had time enough to say how it went. */
const isLeft = ({ meta, state, status }: KnownRun, row: DeploymentRow): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    if (state === "running") return false
    const attendant = yield* Attendant
    const { machine } = yield* Origin
    const began = typeof meta.attendant === "string" ? meta.attendant : ""
    // On the same machine it can be known for sure.
    const gone = meta.machine === machine ? attendant.isGone(began) : undefined
    if (gone !== undefined) return gone
    const gate = (meta.gate ?? {}) as { readonly timeout?: unknown }
    const patience = grace + (typeof gate.timeout === "number" ? gate.timeout / 1000 : 60)
    const since = status === undefined ? Date.parse(row.startedAt) / 1000 : status.endedAt
    return (yield* Clock.currentTimeMillis) / 1000 - since > patience
  })

/** The deployment whose id it is, or begins: unless a service is meant as well. */
const meantById = (parts: Parts, target: string): Effect.Effect<DeploymentRow | undefined, DeployError> =>
  Effect.gen(function* () {
    if (!/^[0-9a-f]+(-[0-9a-f]*)*$/i.test(target)) return undefined
    const services = yield* parts.models.services.list()
    if (!beginsId(target) && services.some(({ name }) => name === target)) return undefined
    const found = yield* Effect.catchTag(parts.history.get(target), "NotFound", () => Effect.succeed(undefined))
    const [service] = services.filter(
      ({ id, name }) => (name === target || hasId(id, target)) && id !== found?.serviceId,
    )
    if (service === undefined || found === undefined) return found
    // Made within the same minute they have ids that begin alike; and a service may have been given an id for a name.
    const candidates = [`${service.id} (${service.name})`, `${found.id} (a deployment of ${found.service})`]
    return yield* new Ambiguous({ entity: "deployment", name: target, candidates })
  })

/** What a name or an id means: a deployment that is over, or one that can be watched. */
const find = (
  parts: Parts,
  target: string,
  watch: Watch,
): Effect.Effect<{ readonly row: DeploymentRow } | { readonly run: Run }, DeployError> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const row = yield* meantById(parts, target)
    if (row !== undefined) {
      if (isOver(row)) return { row }
      const placed = yield* findAgain(parts.models, row.serviceId, `${row.server}/${row.service}`)
      const { runs } = yield* parts.ledger.inspect(placed.server, row.service, [row.id])
      return { run: resumed({ placed, id: row.id, row, meta: runs[0]?.meta ?? {}, now }, watch) }
    }
    const placed = yield* findService(parts.models, target)
    const { holder, runs } = yield* parts.ledger.inspect(placed.server, placed.service.name)
    const [newest] = runs
    const known = newest === undefined ? undefined : yield* parts.models.deployments.get(newest.id)
    const begun = newest !== undefined && (known !== undefined || newest.state !== "prepared")
    if (begun && (known === undefined || !isOver(known))) {
      return { run: resumed({ placed, id: newest.id, row: known, meta: newest.meta, now }, watch) }
    }
    if (holder !== undefined && holder.state === "hand") return yield* heldBy(placed, holder, "deploy")
    const [left] = yield* openOf(parts, placed)
    if (left !== undefined) return { run: resumed({ placed, id: left.id, row: left, meta: {}, now }, watch) }
    return yield* new OperationFailed({
      operation: "deploy",
      message: `nothing of ${fullName(placed)} is being deployed`,
      next: `see how the last one went: context infra history ${fullName(placed)}`,
    })
  })

/** A deployment that was begun where this log cannot see it: its beginning is noted here, too. */
const adopt = (parts: Parts, run: Run): Effect.Effect<Run, DeployError> =>
  Effect.gen(function* () {
    if ((yield* parts.models.deployments.get(run.id)) === undefined) yield* recordStart(parts, run)
    yield* run.watch.onBegin?.(run.id) ?? Effect.void
    return run
  })
