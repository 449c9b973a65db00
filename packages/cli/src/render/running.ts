/** What a command printed on servers, and how it ended on each. */
import type { RunReport } from "@context-engine/core/services/RunCommand"
import { withoutName } from "@context-engine/core/words"
import { safe, safeLines } from "./safe.js"
import { type Column, table } from "./table.js"
import { paint, type Renderer, type Screen } from "./text.js"
import { duration } from "./units.js"

/** What one server printed, below its name. */
export const printed = (report: RunReport, screen: Screen): string => {
  const { exitCode, server, stderr, stdout, truncated } = report
  const head = `${paint(screen, exitCode === 0 ? "good" : "bad", "──")} ${paint(screen, "strong", safe(server))}`
  const bar = paint(screen, "faint", "│")
  const lines = [...linesOf(stdout), ...linesOf(stderr)].map((line) => `  ${bar} ${line}`.trimEnd())
  const more = truncated ? [paint(screen, "faint", "  … there was more than 1 MB of it")] : []
  return `${[head, ...lines, ...more].join("\n")}\n`
}

const linesOf = (text: string): ReadonlyArray<string> => {
  const clean = safeLines(text).replace(/\n+$/, "")
  return clean === "" ? [] : clean.split("\n")
}

const columns: ReadonlyArray<Column<RunReport>> = [
  { title: "server", cell: ({ server }) => server },
  {
    title: "exit",
    cell: ({ exitCode }) => ({
      text: exitCode === null ? "none" : String(exitCode),
      style: exitCode === 0 ? "good" : "bad",
    }),
    right: true,
  },
  { title: "took", cell: (report) => duration(report.duration), right: true },
  { title: "why", cell: ({ error, server }) => error && withoutName(error.message, server), flexible: true },
]

/** The exit statuses, after all that was printed. */
export const statuses: Renderer<ReadonlyArray<RunReport>> = (reports, screen) => `\n${table(screen, columns, reports)}`
