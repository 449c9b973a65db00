/** Deploys and rollbacks, from the wish to the row. */
import * as Effect from "effect/Effect"
import { DeploymentRolledBack, entity } from "../../domain/Service.js"
import { OperationFailed } from "../../Errors.js"
import type { DeploymentRow } from "../../views/deployments.js"
import { findAgain, findService, fullName, type Placed } from "../names.js"
import { type Begun, begin } from "./begin.js"
import { finish, letGo } from "./finish.js"
import { hasCheck } from "./gate.js"
import { namesOf } from "./history.js"
import type { Parts } from "./parts.js"
import { settlePlaced } from "./settle.js"
import type { DeployError, DeployerShape, DeployOptions, RollbackOptions } from "./types.js"

export const makeDeploy = (parts: Parts): Pick<DeployerShape, "deploy" | "rollback"> => ({
  deploy: Effect.fn("Deployer.deploy")(function* (name: string, options: DeployOptions = {}) {
    const placed = yield* findService(parts.models, name)
    yield* parts.commands.ready
    yield* settlePlaced(parts, placed, options)
    const begun = yield* begin(parts, placed, options.method ?? "manual", options)
    let goesBack = false
    const row = yield* finish(parts, begun.run, begun.job, (outcome) => {
      goesBack = mayRollBack(begun) && outcome._tag === "Failed" && outcome.cancelled !== true
      return goesBack
    })
    return goesBack && row.status === "failed" ? yield* rollBackFrom(parts, begun, row, options) : row
  }),
  rollback: Effect.fn("Deployer.rollback")(function* (name: string, options: RollbackOptions = {}) {
    const placed = yield* findService(parts.models, name)
    yield* parts.commands.ready
    yield* settlePlaced(parts, placed, options)
    const past = yield* pastOf(parts, placed)
    const version = options.to ?? (yield* lastGood(placed, past))
    return yield* goBack(parts, placed, { ...options, version }, past[0])
  }),
})

const mayRollBack = ({ run }: Begun): boolean => run.autoRollback && run.method !== "rollback"

export const pastOf = (parts: Pick<Parts, "models">, { service }: Placed) =>
  parts.models.deployments.list({ where: { serviceId: service.id }, order: { by: "startedAt", descending: true } })

/** Goes to an earlier version, and marks the deployment that was gone back from. */
const goBack = (
  parts: Parts,
  placed: Placed,
  options: DeployOptions,
  left: DeploymentRow | undefined,
  inherit?: string,
): Effect.Effect<DeploymentRow, DeployError> =>
  Effect.gen(function* () {
    const { job, run } = yield* begin(parts, placed, "rollback", options, inherit)
    const row = yield* finish(parts, run, job)
    if (row.status !== "success" || row.version === null || left === undefined) return row
    yield* parts.commands.record(entity.aggregate, placed.service.id, [
      DeploymentRolledBack({ ...namesOf(placed), deploymentId: left.id, rollbackVersion: row.version, by: row.id }),
    ])
    return row
  })

/** After a failure, under the same lock. The row is the failed deployment's, as it is then. */
const rollBackFrom = (
  parts: Parts,
  { run }: Begun,
  failed: DeploymentRow,
  options: DeployOptions,
): Effect.Effect<DeploymentRow, DeployError> =>
  Effect.gen(function* () {
    const back = Effect.gen(function* () {
      const placed = yield* findAgain(parts.models, run.placed.service.id, fullName(run.placed))
      const version = yield* lastGood(placed, yield* pastOf(parts, placed))
      yield* options.onStep?.("rollback", version) ?? Effect.void
      const notes = `automatic, after ${failed.id.slice(0, 18)} failed`
      yield* goBack(parts, placed, { ...options, version, notes, autoRollback: false }, failed, run.id)
    })
    yield* back.pipe(
      Effect.catchTag("OperationFailed", (error) =>
        options.onStep === undefined ? Effect.void : options.onStep("rollback", `not possible: ${error.message}`),
      ),
      Effect.ensuring(letGo(parts, run)),
    )
    return yield* parts.history.get(failed.id)
  })

/** The last version that was verified healthy and is not the one that is there now. */
export const lastGood = (
  placed: Placed,
  past: ReadonlyArray<DeploymentRow>,
): Effect.Effect<string, OperationFailed> => {
  const { currentVersion } = placed.service
  const checkable = hasCheck(placed.service)
  const good = past.find(
    (row) =>
      row.status === "success" &&
      row.version !== null &&
      row.version !== currentVersion &&
      // Where nothing can be checked, a deployment that went through is all there is to go by.
      (row.verified === true || !checkable),
  )
  const name = fullName(placed)
  return good?.version
    ? Effect.succeed(good.version)
    : new OperationFailed({
        operation: "rollback",
        message: `service ${name} has no earlier version that was ${checkable ? "verified healthy" : "deployed well"}`,
        next: `context infra history ${name}, then context infra rollback ${name} --to <version>`,
      })
}
