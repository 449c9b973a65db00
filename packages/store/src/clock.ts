/**
 * Whether this machine's clock still is the one that was compared with the shared log's. How wrong a clock was says nothing of the
 * one that it was set to.
 */
import { uptime } from "node:os"

/** How wrong a clock was, and which one that was. */
export interface Measured {
  /** The shared log's clock less this machine's, in milliseconds. */
  readonly skew: number
  /** When it was measured, by this machine's clock, in milliseconds since 1970. */
  readonly at: number
  /** When this machine was started, by the same clock. */
  readonly startedAt: number
}

/** By so much, in milliseconds, a clock and the time since the start may differ by themselves. */
const drift = 5_000

/**
 * When this machine was started, by its clock as it is now, in milliseconds since 1970: another time once that is set. `null` where
 * the system does not say for how long it runs.
 */
export const startedAt = (): number | null => {
  try {
    return Math.round(Date.now() - uptime() * 1000)
  } catch {
    return null
  }
}

/** Whether nobody has set the clock between two looks at when the machine was started. */
export const isSameClock = (before: number | null, after: number | null): boolean =>
  before !== null && after !== null && Math.abs(before - after) <= drift

/**
 * How wrong the clock is, from what was measured; `null` where that is not known any more: it was set since, or the machine was
 * started anew. A start is taken for a set clock, because a clock without a battery begins anywhere, and others are set then.
 */
export const skewNow = (measured: Measured | null): number | null =>
  measured !== null && Date.now() >= measured.at - drift && isSameClock(measured.startedAt, startedAt())
    ? measured.skew
    : null

/** From the columns of `sync`; `null` where nothing was measured, or by a version that did not say by which clock. */
export const measuredOf = (skew: number | null, at: number | null, startedAt: number | null): Measured | null =>
  skew === null || at === null || startedAt === null ? null : { skew, at, startedAt }
