/** Whether this machine is fit for the work: checks that look, and change nothing, each with what it found and the way out. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** What one look found. */
export interface Finding {
  /** What was looked at, in a word or two: `database`, `token`. */
  readonly check: string
  readonly level: "ok" | "warning" | "trouble"
  /** In words, without anything secret. */
  readonly found: string
  /** The command that mends it, or what else to do. */
  readonly fix?: string
}

/** Everything that was found. */
export interface Diagnosis {
  /** Whether there is no trouble; warnings are none. */
  readonly ok: boolean
  readonly findings: ReadonlyArray<Finding>
}

/** One thing to look at. Whatever it fails with is a finding, too. */
export interface Check {
  readonly name: string
  readonly look: Effect.Effect<ReadonlyArray<Finding>, unknown>
}

/** Runs checks beside each other, each with a deadline of its own; none keeps another from its answer. */
export const diagnose = (
  checks: ReadonlyArray<Check>,
  deadline: Duration.DurationInput = Duration.seconds(15),
): Effect.Effect<Diagnosis> =>
  Effect.map(
    Effect.forEach(checks, (check) => lookAt(check, deadline), { concurrency: "unbounded" }),
    (found) => {
      const findings = found.flat()
      return { ok: findings.every(({ level }) => level !== "trouble"), findings }
    },
  )

const lookAt = ({ look, name }: Check, deadline: Duration.DurationInput): Effect.Effect<ReadonlyArray<Finding>> =>
  look.pipe(
    Effect.timeoutTo({
      duration: deadline,
      onSuccess: (findings) => findings,
      onTimeout: () => [warning(name, `no answer within ${Duration.format(deadline)}`)],
    }),
    Effect.catchAllCause((cause) => {
      const error = Cause.squash(cause)
      const said = error instanceof Error ? error.message : String(error)
      return Effect.succeed([trouble(name, `could not be looked at: ${said}`)])
    }),
  )

export const ok = (check: string, found: string): Finding => ({ check, level: "ok", found })

export const warning = (check: string, found: string, fix?: string): Finding => ({
  check,
  level: "warning",
  found,
  ...(fix === undefined ? {} : { fix }),
})

export const trouble = (check: string, found: string, fix?: string): Finding => ({
  ...warning(check, found, fix),
  level: "trouble",
})
