/** Scans as text: what is on each server, against what is registered. */
import type { Applied, Finding, ScanReport, ServerScan } from "@context-engine/core/services/Scanner"
import { withoutName } from "@context-engine/core/words"
import { brief, counted, type Difference, difference, marked } from "./differences.js"
import { safe } from "./safe.js"
import { paint, type Renderer, type Screen, wrap } from "./text.js"

/** A server's scan, and what was registered of it; `null` where nothing was to be. */
export interface Scanned extends ServerScan {
  readonly applied: Applied | null
}

const none = "no servers yet\n  add one: context infra server add <name> --ip <address>, or context infra server import"

const asDifference = ({ change, confidence, evidence, fields, kind, name }: Finding): Difference => ({
  change,
  title: `${kind} ${name}`,
  fields,
  confidence,
  evidence: evidence.map(({ detail }) => detail),
})

/** A finding in a line. */
export const titleOf = (finding: Finding): string => brief(asDifference(finding))

/** What was found on one server. */
export const found: Renderer<ServerScan> = ({ error, report, server }, screen) => {
  if (report === null) return marked(screen, "bad", `${server}: ${withoutName(error?.message ?? "", server)}`)
  const differing = counted(report.findings)
  const same = report.unchanged === 0 ? [] : [`${report.unchanged} as registered`]
  const head = [...(differing === "" ? [] : [differing]), ...same].join("; ") || "nothing was found"
  return [
    ...wrap(`${safe(server)}: ${head}`, screen.columns).map((line) => paint(screen, "strong", line)),
    ...unheard(screen, report),
    ...report.findings.map((finding) => `\n${difference(screen, asDifference(finding))}`),
  ].join("\n")
}

/** All of them, and how to go on. */
export const scans: Renderer<ReadonlyArray<ServerScan>> = (all, screen) => {
  if (all.length === 0) return none
  const differing = all.filter(({ report }) => (report?.findings.length ?? 0) > 0)
  const [only] = differing.length === 1 ? differing : []
  const next = `nothing was registered; choose what is to be: context infra scan${only === undefined ? "" : ` ${safe(only.server)}`} --apply`
  return [
    ...all.map((one) => found(one, screen)),
    ...(differing.length === 0 ? [] : [wrap(next, screen.columns).join("\n")]),
  ].join("\n\n")
}

/** What became of the chosen findings. */
export const applied: Renderer<ReadonlyArray<Scanned>> = (all, screen) =>
  all.length === 0 ? none : all.flatMap((one) => outcome(screen, one)).join("\n")

const outcome = (screen: Screen, { applied, report, server }: Scanned): ReadonlyArray<string> => {
  if (applied === null || report === null) return []
  const { applied: ids, skipped } = applied
  const gone = new Set(report.findings.filter(({ change }) => change === "gone").map(({ id }) => id))
  const said = [
    ["registered", ids.filter((id) => !gone.has(id))] as const,
    ["removed", ids.filter((id) => gone.has(id))] as const,
  ].flatMap(([did, some]) => (some.length === 0 ? [] : [`${did} ${some.join(", ")}`]))
  const idle = report.findings.length === 0 ? "nothing differs" : "nothing was chosen"
  return [
    ...(said.length > 0 || skipped.length === 0
      ? [marked(screen, "good", `${server}: ${said.join("; ") || idle}`)]
      : []),
    ...skipped.map(({ id, reason }) => marked(screen, "bad", `${server}: ${id}: ${reason}`)),
  ]
}

const reasons = {
  failed: "did not say (may the login ask it?)",
  late: "did not answer in time",
  cut: "said more than is read",
} as const

/** The tools that are there and were not heard: what they keep may be missing from the findings. */
const unheard = (screen: Screen, { sources }: ScanReport): ReadonlyArray<string> =>
  sources.flatMap(({ source, status }) =>
    status === "ok" || status === "absent" ? [] : [marked(screen, "warn", `${source} ${reasons[status]}`)],
  )
