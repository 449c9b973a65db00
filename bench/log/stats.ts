/** Medians and percentiles, and what machine they were taken on. */
import { cpus, totalmem } from "node:os"

export const quantile = (values: ReadonlyArray<number>, q: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

/** Milliseconds that an asynchronous step takes. */
export const time = async (step: () => Promise<unknown> | unknown): Promise<number> => {
  const started = performance.now()
  await step()
  return performance.now() - started
}

export const machine = (): string => {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${cpu?.model.trim()}, ${cpus().length} processors, ${memory} GB, Node ${process.version}`
}

export interface Row {
  readonly what: string
  readonly figure: string
  readonly baseline: string
  readonly reach: string
  readonly ok: boolean
}

export const markdown = (rows: ReadonlyArray<Row>): string =>
  [
    "| what | measured | baseline | to reach | |",
    "|---|---|---|---|---|",
    ...rows.map((r) => `| ${r.what} | ${r.figure} | ${r.baseline} | ${r.reach} | ${r.ok ? "✓" : "✗"} |`),
  ].join("\n")
