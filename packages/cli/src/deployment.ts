/** What `deploy` and `rollback` have in common: they follow the command as it runs, and say how it ended. */
import type { DeployOptions, DeployStep } from "@context-engine/core/services/Deployer"
import type { DeploymentRow } from "@context-engine/core/views/deployments"
import * as Effect from "effect/Effect"
import { connecting, text } from "./options.js"
import { load } from "./runtime.js"
import { progress, relabel } from "./terminal.js"
import { Refused, UsageError } from "./usage.js"

export const deploying = {
  ...connecting,
  note: text("note", "text", "A note to keep with it"),
  healthTimeout: text("health-timeout", "span", "How long it may take to become healthy (default: 60s)"),
  timeout: text("timeout", "span", "How long the command may run (default: 15m)"),
}

interface Asked {
  readonly service: string
  readonly json: boolean
  readonly note: string | undefined
  readonly healthTimeout: string | undefined
  readonly timeout: string | undefined
}

const steps: Record<DeployStep, string | undefined> = {
  prepare: "looking at what is there",
  waiting: "waiting for the lock",
  command: "running the deploy command",
  reconnecting: "the link is down; the deploy goes on, reconnecting",
  connected: "connected again",
  health: "waiting until it is healthy",
  rollback: "rolling back",
  done: undefined,
}

/** Runs a deployment: what its command prints is shown as it comes, on standard error if the answer is to be JSON. */
export const follow = (
  what: "deploy" | "rollback",
  asked: Asked,
  run: (options: DeployOptions) => Effect.Effect<DeploymentRow, unknown>,
): Effect.Effect<DeploymentRow, unknown> =>
  load(
    () => import("./stream.js"),
    ({ makeStream }) =>
      Effect.gen(function* () {
        const stream = makeStream(asked.json)
        const limits = {
          healthTimeout: yield* millis("--health-timeout", asked.healthTimeout),
          timeout: yield* millis("--timeout", asked.timeout),
        }
        const onStep = (step: DeployStep) => {
          const label = steps[step]
          return label === undefined
            ? Effect.void
            : Effect.zipRight(relabel(`${asked.service}: ${label}`), stream.heading(label))
        }
        return yield* run({ ...limits, notes: asked.note || undefined, onOutput: stream.write, onStep }).pipe(
          Effect.ensuring(stream.end),
          progress(`${what} of ${asked.service}`),
        )
      }),
  )

/** Why the exit status is 1, and what to do; nothing for a deployment that went well. */
export const failure = (row: DeploymentRow, service: string): Refused | undefined => {
  if (row.status !== "failed") return undefined
  const rollback = row.deployMethod === "rollback"
  return new Refused({
    message: `${rollback ? "the rollback" : "the deploy"} of ${row.server}/${row.service} failed: ${row.reason ?? "no reason is known"}`,
    next: rollback
      ? `see what there is to go back to: context infra history ${service}`
      : `roll back: context infra rollback ${service}`,
  })
}

const millis = (name: string, span: string | undefined): Effect.Effect<number | undefined, UsageError> =>
  span === undefined
    ? Effect.succeed(undefined)
    : load(
        () => import("@context-engine/core/Time"),
        ({ spanMillis }) => {
          const read = spanMillis(span)
          return read === undefined
            ? new UsageError({
                message: `${name} must be a span such as 60s or 5m, not ${JSON.stringify(span)}`,
                see: "context infra deploy --help",
              })
            : Effect.succeed(read)
        },
      )
