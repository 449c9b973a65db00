/** The servers of ssh's configuration as text, against those that are registered. */
import type { Imported, ImportFinding, ImportReport, Skipped } from "@context-engine/core/services/ServerImport"
import { brief, counted, type Difference, difference, marked } from "./differences.js"
import { safe } from "./safe.js"
import { paint, type Renderer, type Screen, wrap } from "./text.js"
import { count } from "./units.js"

/** What was read, and what was registered of it; `null` where nothing was to be. */
export interface ImportAnswer extends ImportReport {
  readonly applied: Imported | null
}

const asDifference = ({ aliases, change, fields, host, name }: ImportFinding): Difference => {
  const also = [...(host === name ? [] : [host]), ...aliases]
  return {
    change: change === "same" ? "changed" : change,
    title: `server ${name}`,
    fields,
    evidence: also.length === 0 ? [] : [`there it is also called ${also.join(", ")}`],
  }
}

/** A finding in a line. */
export const titleOf = (finding: ImportFinding): string => {
  const { candidate, change } = finding
  const where = candidate.hostname ?? candidate.ipAddresses[0]
  return `${brief(asDifference(finding))}${change === "new" && where !== undefined ? `, ${where}` : ""}`
}

/** What was read. */
export const found: Renderer<ImportReport> = ({ files, findings, skipped }, screen) => {
  const same = findings.filter(({ change }) => change === "same").length
  const differing = counted(findings)
  const head = `${count(findings.length, "server")} in ${count(files.length, "file")}: ${differing === "" ? "nothing new" : differing}${same === 0 ? "" : `, ${same} as registered`}`
  return [
    ...wrap(head, screen.columns).map((line) => paint(screen, "strong", line)),
    ...findings
      .filter(({ change }) => change !== "same")
      .map((finding) => `\n${difference(screen, asDifference(finding))}`),
    ...(skipped.length === 0 ? [] : ["", ...skipped.map((one) => leftOut(screen, "warn", one))]),
  ].join("\n")
}

/** The same, and how to go on. `config` is the file that was named. */
export const imported =
  (config: string | undefined): Renderer<ImportReport> =>
  (report, screen) => {
    const file = config === undefined ? "" : ` --config ${safe(config)}`
    const next = `nothing was registered; choose what is to be: context infra server import${file} --apply`
    const differs = counted(report.findings) !== ""
    return [found(report, screen), ...(differs ? [wrap(next, screen.columns).join("\n")] : [])].join("\n\n")
  }

/** What became of the chosen ones. */
export const applied: Renderer<ImportAnswer> = ({ applied, findings }, screen) => {
  const { applied: done, skipped } = applied ?? { applied: [], skipped: [] }
  const idle = counted(findings) === "" ? "nothing differs" : "nothing was chosen"
  return [
    ...(done.length > 0 || skipped.length === 0
      ? [marked(screen, "good", done.length === 0 ? idle : `registered ${done.join(", ")}`)]
      : []),
    ...skipped.map((one) => leftOut(screen, "bad", one)),
  ].join("\n")
}

const leftOut = (screen: Screen, style: "warn" | "bad", { host, reason }: Skipped): string =>
  marked(screen, style, `${host}: ${reason}`)
