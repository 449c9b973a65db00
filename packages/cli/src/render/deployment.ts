/** One deployment whole: what it was, what it did, and all that it printed. */
import type { DeploymentRow, DeploymentStep } from "@context-engine/core/views/deployments"
import { outcome, whoOf } from "./deployments.js"
import { safeLines } from "./safe.js"
import { block } from "./table.js"
import { paint, type Renderer } from "./text.js"
import { ago, duration, moment, version } from "./units.js"

/** `whole`: all of it is here; else the end, which the log keeps. */
export const deployment: Renderer<DeploymentRow & { readonly whole: boolean }> = (row, screen) => {
  const from = version(row.previousVersion)
  const to = version(row.version)
  const head = block(screen, `${row.server}/${row.service}, deployment ${row.id}`, [
    ["outcome", outcome(row)],
    ["reason", row.reason],
    ["version", from === "" || from === to ? to : `${from} → ${to === "" ? "?" : to}`],
    ["back to", version(row.rollbackVersion)],
    ["how", row.deployMethod],
    ["by", whoOf(row)],
    ["started", `${moment(row.startedAt)} UTC${screen.now === undefined ? "" : `, ${ago(screen, row.startedAt)}`}`],
    ["took", row.durationSeconds === null ? "" : duration(row.durationSeconds)],
    ["notes", row.notes],
    ...row.steps.map((step) => [names[step.step], { text: stepOf(step), style: step.ok ? "good" : "bad" }] as const),
  ])
  const text = safeLines(row.logs ?? "").trimEnd()
  const title = row.whole ? "log" : "the end of the log (the whole of it is on the machine that watched it)"
  if (text === "") return `${head}\n  ${paint(screen, "faint", "it printed nothing")}`
  const lines = text.split("\n").map((line) => `    ${line}`.trimEnd())
  return [head, `  ${paint(screen, "faint", title)}`, ...lines].join("\n")
}

const names: Record<DeploymentStep["step"], string> = {
  pre: "before",
  command: "command",
  post: "after",
  health: "health",
}

const stepOf = ({ duration: seconds, exitCode, ok }: DeploymentStep): string => {
  const how = exitCode === null ? (ok ? "healthy" : "not healthy") : exitCode === 0 ? "done" : `exited with ${exitCode}`
  return `${how}, ${duration(seconds)}`
}
