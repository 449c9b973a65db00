/** The steps of a deployment in words: each once between the lines of output, and always on the progress line. */
import type { DeployStep } from "@context-engine/core/services/Deployer"
import * as Effect from "effect/Effect"

type Say = (text: string) => Effect.Effect<void>

/** `heading` writes a line, `label` changes what the progress line says. */
export const makeSteps = (heading: Say, label: Say): ((step: DeployStep, detail?: string) => Effect.Effect<void>) => {
  let said = ""
  let current = ""
  let tries = 0
  /** Says it, unless it is what was said last: whoever waits is told so every second. */
  const enter = (text: string) => {
    const again = text === said
    said = text
    current = text
    return again ? label(text) : Effect.zipRight(label(text), heading(text))
  }
  return (step, detail) => {
    switch (step) {
      case "reconnecting": {
        tries += 1
        const trying = label(`the link is down, try ${tries}${detail === undefined ? "" : ` (${detail})`}`)
        return tries > 1 ? trying : Effect.zipRight(trying, heading("the link is down; the deploy goes on there"))
      }
      case "connected": {
        const before = tries
        tries = 0
        return before === 0 ? Effect.void : Effect.zipRight(label(current), heading("connected again"))
      }
      case "done":
        return Effect.void
      default:
        return enter(words(step, detail))
    }
  }
}

const words = (
  step: Exclude<DeployStep, "reconnecting" | "connected" | "done">,
  detail: string | undefined,
): string => {
  switch (step) {
    case "prepare":
      return detail ?? "looking at what is there"
    case "waiting":
      return `waiting for the lock${detail === undefined ? "" : ` of ${detail}`}`
    case "command":
      return "running the deploy command"
    case "health":
      return "waiting until it is healthy"
    case "rollback":
      return detail === undefined || detail.startsWith("not possible")
        ? `rolling back${detail === undefined ? "" : ` is ${detail}`}`
        : `rolling back to ${short(detail)}`
  }
}

const short = (version: string): string => (/^[0-9a-f]{40,64}$/.test(version) ? version.slice(0, 12) : version)
