/** A projection of one's own: how often each service is deployed, and how often that goes wrong. */
import { EventLog, Fold, type Projection, type Recorded } from "@context-engine/core"
import type { ServiceFact } from "@context-engine/core/domain/Service"
import { layer } from "@context-engine/store"
import { Effect, Stream } from "effect"

/** One row a service. */
export interface DeployRateRow {
  readonly id: string
  readonly service: string
  readonly deploys: number
  readonly failures: number
}

/**
 * A projection is plain data and two pure functions: which row an event touches, and the row after it. It ignores what it
 * does not know, so it survives every event type that is yet to come.
 */
export const deployRate: Projection<DeployRateRow, ServiceFact> = {
  name: "deploy_rate",
  version: 1,
  unique: [],
  key: (event) =>
    event.type === "DeploymentSucceeded" || event.type === "DeploymentFailed" ? event.stream : undefined,
  evolve: (row, event) => ({
    id: event.stream,
    service: event.data.service,
    deploys: (row?.deploys ?? 0) + 1,
    failures: (row?.failures ?? 0) + (event.type === "DeploymentFailed" ? 1 : 0),
  }),
}

/** Folds the whole log, in constant memory but for the rows. */
export const main = (path: string) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const fold = new Fold([deployRate])
    yield* Stream.runForEach(log.readAll(), (event: Recorded) => Effect.sync(() => fold.apply(event)))
    return [...fold.rows(deployRate).values()] as ReadonlyArray<DeployRateRow>
  }).pipe(Effect.provide(layer(path)))

const path = process.argv[2]
if (path !== undefined) console.table(await Effect.runPromise(main(path)))
