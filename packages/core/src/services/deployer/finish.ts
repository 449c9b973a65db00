/** Everything from the first command to the end that the log keeps. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import {
  DeploymentFailed,
  DeploymentLost,
  DeploymentStepEnded,
  DeploymentSucceeded,
  entity,
} from "../../domain/Service.js"
import type { RegistryError, StorageError } from "../../Errors.js"
import { type DeploymentRow, isOver } from "../../views/deployments.js"
import { fullName } from "../names.js"
import { doneAnyway } from "../unnoted.js"
import { awaitHealth, hasCheck, probe } from "./gate.js"
import { namesOf } from "./history.js"
import type { HostError, Job } from "./host/Ledger.js"
import { type Outcome, outcomeOf } from "./outcome.js"
import type { Parts } from "./parts.js"
import type { Run } from "./run.js"
import { watchRun } from "./watch.js"

/** How the gate went. */
interface Checked {
  readonly outcome: Outcome
  readonly verified: boolean
  /** Seconds; `undefined` where there was nothing to check. */
  readonly took: number | undefined
}

/**
 * Watches a run to its end, then the service's health, and records both. Interrupted, it leaves the run to itself: it goes on
 * and is settled by whoever looks next. `keepLock`: somebody else takes the lock over.
 */
export const finish = (
  parts: Parts,
  run: Run,
  job: Job | undefined,
  keepLock: (outcome: Outcome) => boolean = () => false,
): Effect.Effect<DeploymentRow, HostError | RegistryError> =>
  Effect.gen(function* () {
    if (job !== undefined) yield* run.watch.onStep?.("command") ?? Effect.void
    const { outcome, tail } = yield* watched(parts, run, job)
    const checked = yield* check(parts, run, outcome)
    yield* recordEnd(parts, run, checked, tail, job !== undefined)
    if (!keepLock(checked.outcome) && job?.release !== true) yield* letGo(parts, run)
    yield* run.watch.onStep?.("done") ?? Effect.void
    return yield* parts.history.get(run.id)
  })

/** How the run went. What kept the host from beginning it at all is a failure like any other, now that the log knows of it. */
const watched = (parts: Parts, run: Run, job: Job | undefined) =>
  watchRun(parts.ledger, parts.logs, run, job).pipe(
    Effect.map(({ followed, output }) => ({ outcome: outcomeOf(run, followed, output), tail: output.tail })),
    Effect.catchTag("OperationFailed", ({ message }) =>
      Effect.succeed({
        outcome: { _tag: "Failed", version: run.previous, steps: [], reason: message } satisfies Outcome,
        tail: "",
      }),
    ),
  )

/** The link may be down just now; if it stays so, the lock is one of somebody who is gone. */
export const letGo = (parts: Parts, { at }: Run) =>
  parts.ledger
    .unlock(at.server, at.service, at.id)
    .pipe(Effect.retry(Schedule.intersect(Schedule.exponential("500 millis"), Schedule.recurs(4))), Effect.ignore)

const check = (parts: Parts, run: Run, outcome: Outcome): Effect.Effect<Checked, StorageError> =>
  Effect.gen(function* () {
    const { placed } = run
    if (outcome._tag !== "Succeeded" || !hasCheck(placed.service)) {
      return { outcome, verified: false, took: undefined }
    }
    yield* run.watch.onStep?.("health") ?? Effect.void
    const began = yield* Clock.currentTimeMillis
    const report = yield* awaitHealth(probe(parts.health, parts.hosts, placed), run.gate, run.watch.patience)
    yield* parts.health.record(placed, report)
    const took = ((yield* Clock.currentTimeMillis) - began) / 1000
    if (report.status === "healthy") return { outcome, verified: true, took }
    if (report.status === "unknown") {
      const reason = `its commands succeeded, but nobody could ask whether it is healthy: ${report.detail}`
      return { outcome: { _tag: "Unknown", reason }, verified: false, took: undefined }
    }
    const reason = `it did not become healthy: ${report.detail}`
    return { outcome: { ...outcome, _tag: "Failed", reason }, verified: false, took }
  })

/** Once: whoever comes second finds that it has an end. `watched`: from its beginning on. */
const recordEnd = (parts: Parts, run: Run, checked: Checked, tail: string, watched: boolean) =>
  Effect.gen(function* () {
    const row = yield* parts.models.deployments.get(run.id)
    if (row !== undefined && isOver(row)) return
    const now = yield* DateTime.now
    const { outcome } = checked
    const about = { ...namesOf(run.placed), deploymentId: run.id }
    const end = {
      ...about,
      version: outcome._tag === "Unknown" ? null : outcome.version,
      duration: watched ? Math.max(0, (now.epochMillis - run.startedAt) / 1000) : stepped(checked),
      logs: tail,
      at: DateTime.formatIso(now),
    }
    const note = parts.commands.record(entity.aggregate, run.placed.service.id, [
      ...stepsOf(checked).map((step) => DeploymentStepEnded({ ...about, ...step })),
      endOf(checked, end),
    ])
    const what = `deployment ${run.id.slice(0, 18)} of ${fullName(run.placed)} is over (${endedAs[outcome._tag]})`
    yield* note.pipe(doneAnyway(what))
  })

const endedAs = { Succeeded: "success", Failed: "failed", Unknown: "unknown" } as const

/** What its steps took, in seconds: whoever comes late does not know more. */
const stepped = (checked: Checked): number => stepsOf(checked).reduce((sum, { duration }) => sum + duration, 0)

const stepsOf = ({ outcome, took, verified }: Checked) => [
  ...(outcome._tag === "Unknown" ? [] : outcome.steps).map(({ duration, exitCode, step }) => ({
    step,
    ok: exitCode === 0,
    exitCode,
    duration,
  })),
  ...(took === undefined ? [] : [{ step: "health" as const, ok: verified, exitCode: null, duration: took }]),
]

type End = Parameters<typeof DeploymentSucceeded>[0]

const endOf = ({ outcome, verified }: Checked, end: Omit<End, "verified">) => {
  switch (outcome._tag) {
    case "Succeeded":
      return DeploymentSucceeded({ ...end, verified })
    case "Failed":
      return DeploymentFailed({ ...end, reason: outcome.reason })
    case "Unknown":
      return DeploymentLost({ ...end, reason: outcome.reason })
  }
}
