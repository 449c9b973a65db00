/** Where a story takes place: a directory and processes of its own, which are gone when it ends. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { auditAll } from "../support/audited.js"
import { Workers } from "./processes.js"

export interface Setting {
  readonly directory: string
  readonly workers: Workers
}

/** Runs a story in a setting of its own. Every log that it leaves there is audited. */
export const inSetting = async <A>(story: (setting: Setting) => Promise<A>): Promise<A> => {
  const directory = mkdtempSync(join(tmpdir(), "context-durability-"))
  const workers = await Workers.open()
  try {
    const told = await story({ directory, workers })
    await auditAll(directory)
    return told
  } finally {
    await workers.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The value below which a part of the values lie: 0.5 is the median. */
export const quantile = (values: ReadonlyArray<number>, part: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

/** Medians and the far end, in milliseconds, as people read them. */
export const summary = (values: ReadonlyArray<number>): string =>
  `p50 ${quantile(values, 0.5).toFixed(1)} ms, p99 ${quantile(values, 0.99).toFixed(1)} ms, max ${quantile(values, 1).toFixed(1)} ms`
