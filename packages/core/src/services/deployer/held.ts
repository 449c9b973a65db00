/** What to say about a lock that somebody else holds. Pure. */
import { OperationFailed } from "../../Errors.js"
import { fullName, type Placed } from "../names.js"
import type { LockHolder } from "./host/replies.js"

/** `ada@laptop has deployed it for 2 min`, and what can be done about it. */
export const heldBy = (
  placed: Placed,
  holder: LockHolder,
  operation: OperationFailed["operation"],
): OperationFailed => {
  const name = fullName(placed)
  const { next, what } = story(name, holder)
  return new OperationFailed({
    operation,
    message: `${name} is locked by ${holder.actor} on ${holder.machine} since ${spanOf(holder.age)}${holder.reason === "" ? "" : ` (${holder.reason})`}: ${what}`,
    next,
  })
}

/** What the holder of a lock is about, and what can be done about it. */
export const story = (
  name: string,
  { age, deploymentId, left, state }: LockHolder,
): { readonly what: string; readonly next: string } => {
  if (state === "hand") return { what: "it is held by hand", next: `context infra deploy unlock ${name}` }
  switch (state) {
    case "running":
      return {
        what: `deployment ${short(deploymentId)} is running`,
        next: `watch it: context infra deploy attach ${name}; or wait for it with --wait 10m`,
      }
    case "prepared":
      if (left || age > 60) {
        return {
          what: `deployment ${short(deploymentId)} was about to begin, and never did`,
          next: `whoever began it ${left ? "is" : "seems to be"} gone: --take-over`,
        }
      }
      return { what: `deployment ${short(deploymentId)} is about to begin`, next: "wait for it with --wait 10m" }
    case "over":
      return {
        what: `the commands of deployment ${short(deploymentId)} have ended; whoever began it may still be checking its health`,
        next: `wait with --wait 2m, see to it with context infra deploy attach ${name}, or, if they are gone, --take-over`,
      }
    default:
      return {
        what: `deployment ${short(deploymentId)} is gone without an end`,
        next: `look at it first: context infra deploy attach ${name}; then --take-over`,
      }
  }
}

const short = (id: string | undefined): string => id?.slice(0, 18) ?? "(unknown)"

export const spanOf = (seconds: number): string => {
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  return seconds < 36 * 3600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`
}

/** The deployment whose lock may be taken over at once, for nobody is left to begin it. */
export const leftBy = ({ deploymentId, left, state }: LockHolder): string | undefined =>
  left && state === "prepared" ? deploymentId : undefined
