/** How far a long walk along the log has come, on the progress line. */
import type { Progress } from "@context-engine/core/services/Audit"
import type * as Effect from "effect/Effect"
import { relabel } from "./terminal.js"

const cells = 20

/** Shows a bar, the count and the rate: `verifying ███████░░░ 34,000 of 100,000, 21,000 events/s`. */
export const walked = (what: string): ((progress: Progress) => Effect.Effect<void>) => {
  const started = performance.now()
  return ({ done, total }) => {
    const filled = total === 0 ? cells : Math.min(cells, Math.round((done / total) * cells))
    const rate = Math.round(done / Math.max(0.001, (performance.now() - started) / 1000))
    const bar = "█".repeat(filled) + "░".repeat(cells - filled)
    return relabel(`${what} ${bar} ${number(done)} of ${number(total)}, ${number(rate)} events/s`)
  }
}

const number = (n: number): string => n.toLocaleString("en")
