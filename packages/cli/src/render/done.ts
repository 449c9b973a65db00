/** One sentence about what was done. */
import { safe } from "./safe.js"
import { paint, type Renderer, wrap } from "./text.js"
import { count } from "./units.js"

/** What is said of an answer: a sentence, or one a line. */
export type Said = string | ReadonlyArray<string>

/** A sentence about the answer, with a tick, and what more there is to say of it below. */
export const done =
  <V>(said: (value: V) => Said): Renderer<V> =>
  (value, screen) =>
    `${paint(screen, "good", "✓")} ${[said(value)]
      .flat()
      .flatMap((sentence) => wrap(safe(sentence), screen.columns - 2))
      .join("\n  ")}`

/** What is gone: one entry an event that took something away. */
export interface Removed {
  /** What was meant: `server hetzner`. */
  readonly what: string
  readonly removed: ReadonlyArray<{ readonly type: string; readonly name: string }>
  /** The log's position after it. */
  readonly position: number
}

/** What was taken away, and how much went with it. */
export const removed: Renderer<Removed> = done(({ removed, what }) => {
  const others = removed.slice(0, -1).map(({ type }) => type.replace("Removed", "").toLowerCase())
  const kinds = [...new Set(others)].map((kind) => count(others.filter((other) => other === kind).length, kind))
  return `removed ${what}${kinds.length === 0 ? "" : `, and with it ${kinds.join(", ").replace(/dependencys/g, "dependencies")}`}`
})
