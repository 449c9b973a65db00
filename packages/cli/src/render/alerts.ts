/** What is wrong, for people: one thing after the other, each with the command that leads on. */
import type { Alert } from "@context-engine/core/services/Alerts"
import { safe } from "./safe.js"
import { asAbove, isSaid } from "./said.js"
import { paint, type Renderer, type Screen, wrap } from "./text.js"
import { ago } from "./units.js"

export const alerts: Renderer<ReadonlyArray<Alert>> = (found, screen) =>
  found.length === 0
    ? `${paint(screen, "good", "✓")} nothing is known to be wrong`
    : found.flatMap((alert, at) => lines(screen, { ...alert, next: once(found, at) })).join("\n")

/** What leads on, said in full once: not again where the message says it, and a long one not a second time. */
const once = (found: ReadonlyArray<Alert>, at: number): string => {
  const { message, next } = found[at] as Alert
  if (message.includes(next)) return ""
  return isSaid(
    next,
    found.slice(0, at).flatMap((one) => [one.message, one.next]),
  )
    ? asAbove
    : next
}

const lines = (screen: Screen, { message, next, severity, since, subject }: Alert): ReadonlyArray<string> => {
  const style = severity === "warning" ? "warn" : "bad"
  const head = `${paint(screen, style, severity === "warning" ? "!" : "✗")} ${paint(screen, "strong", safe(subject))}`
  const age = since === null ? "" : `  ${paint(screen, "faint", `since ${ago(screen, since)}`)}`
  const below = (text: string) => wrap(safe(text), Math.max(10, screen.columns - 4)).map((line) => `    ${line}`)
  return [`${head}${age}`, ...below(message), ...(next === "" ? [] : below(next))]
}
