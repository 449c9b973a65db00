/** What the end of a run means. Pure. */
import type { Followed } from "./host/Ledger.js"
import type { RunStatus, StepTime } from "./host/replies.js"
import { askedFor, type Output } from "./output.js"
import type { Run } from "./run.js"

/** How a run went, before anyone looked at the service's health. */
export type Outcome =
  | { readonly _tag: "Succeeded"; readonly version: string | null; readonly steps: ReadonlyArray<StepTime> }
  | {
      readonly _tag: "Failed"
      readonly version: string | null
      readonly steps: ReadonlyArray<StepTime>
      readonly reason: string
      /** Somebody ended it before its time. */
      readonly cancelled?: boolean
    }
  | { readonly _tag: "Unknown"; readonly reason: string }

export const outcomeOf = (run: Run, followed: Followed, output: Output): Outcome => {
  if (followed._tag === "Gone") return gone(run, followed.state)
  const { status } = followed
  const version = status.commit ?? run.version ?? null
  const reason = whyNot(run, status, version, output)
  if (reason === undefined) return { _tag: "Succeeded", version, steps: status.steps }
  const cancelled = status.ending !== "" && status.ending !== "timeout"
  const left = status.steps.length === 0 ? run.previous : version
  return { _tag: "Failed", version: left, steps: status.steps, reason, cancelled }
}

const gone = (run: Run, state: string): Outcome => {
  const host = run.placed.server.name
  if (state === "prepared") {
    return { _tag: "Failed", version: run.previous, steps: [], reason: "it was never begun: nothing was run" }
  }
  return {
    _tag: "Unknown",
    reason:
      state === "vanished"
        ? `its processes are gone from ${host} without having ended (was ${host} restarted?)`
        : `${host} keeps no ledger of it any more`,
  }
}

const whyNot = (run: Run, status: RunStatus, version: string | null, output: Output): string | undefined => {
  if (status.ending === "timeout") return `it did not end within ${run.timeout / 1000} s and was stopped`
  if (status.ending !== "") return status.ending
  const failed = status.steps.find(({ exitCode }) => exitCode !== 0)
  if (failed !== undefined || status.exitCode !== 0) {
    const what = failed === undefined || failed.step === "command" ? "the deploy command" : `the ${failed.step} command`
    const asked = askedFor(output.openLine, output.tail)
    const full = status.diskFull ? `; the disk of ${run.placed.server.name} is full` : ""
    return `${what} exited with ${status.exitCode}${asked === undefined ? "" : `: ${asked}`}${full}`
  }
  return run.version !== undefined && version !== run.version
    ? `the deploy command left version ${version ?? "unknown"}, not ${run.version}`
    : undefined
}
