/** How states look: the word always, a colour and a sign beside it. */
import type { Cell } from "./table.js"
import type { Style } from "./text.js"

const styles: Record<string, Style> = {
  online: "good",
  healthy: "good",
  success: "good",
  running: "good",
  enrolled: "good",
  degraded: "warn",
  warning: "warn",
  deploying: "warn",
  in_progress: "warn",
  rolled_back: "warn",
  stopped: "warn",
  waiting: "warn",
  offline: "bad",
  unhealthy: "bad",
  failed: "bad",
  error: "bad",
  critical: "bad",
  revoked: "bad",
  unknown: "faint",
  "deploy unknown": "faint",
  info: "faint",
}

const signs: Partial<Record<Style, string>> = { good: "✓", warn: "!", bad: "✗" }

export const styleOf = (state: string): Style | undefined => styles[state]

/** The state as a coloured word. */
export const state = (word: string): Cell => ({ text: word.replace("_", " "), style: styleOf(word) })

/** The sign of a state; what is not known is neither well nor unwell. */
export const sign = (word: string): string => signs[styleOf(word) ?? "faint"] ?? "?"
