/** What the doctor found, for people. */
import type { Diagnosis, Finding } from "@context-engine/core/services/Diagnosis"
import { safe } from "./safe.js"
import { asAbove, isSaid } from "./said.js"
import { pad, paint, type Renderer, type Screen, type Style, wrap } from "./text.js"
import { count } from "./units.js"

const marks: Record<Finding["level"], readonly [mark: string, style: Style]> = {
  ok: ["✓", "good"],
  warning: ["!", "warn"],
  trouble: ["✗", "bad"],
}

export const diagnosis: Renderer<Diagnosis> = ({ findings }, screen) => {
  const of = (level: Finding["level"]) => findings.filter((finding) => finding.level === level).length
  const parts = [
    count(findings.length, "finding"),
    ...(of("trouble") > 0 ? [paint(screen, "bad", `${of("trouble")} trouble`)] : []),
    ...(of("warning") > 0 ? [paint(screen, "warn", count(of("warning"), "warning"))] : []),
  ]
  const all = of("trouble") + of("warning") === 0 ? `${parts[0]}, all is well` : parts.join(", ")
  const shown = findings.map((finding, at) => once(finding, findings.slice(0, at)))
  return [...shown.flatMap((finding) => lines(finding, screen)), "", all].join("\n")
}

/** What mends it, said in full once. */
const once = ({ fix, ...finding }: Finding, before: ReadonlyArray<Finding>): Finding => {
  if (fix === undefined || finding.found.includes(fix)) return finding
  return {
    ...finding,
    fix: isSaid(
      fix,
      before.flatMap((one) => [one.found, one.fix ?? ""]),
    )
      ? asAbove
      : fix,
  }
}

const names = 12

/** On a narrow screen what was found goes below its name. */
const lines = ({ check, fix, found, level }: Finding, screen: Screen): ReadonlyArray<string> => {
  const [mark, style] = marks[level]
  const narrow = screen.columns < 60
  const indent = " ".repeat(narrow ? 4 : names + 3)
  const said = wrap(safe(found), screen.columns - indent.length)
  const then = fix === undefined ? [] : wrap(safe(`→ ${fix}`), screen.columns - indent.length)
  const [first = "", ...rest] = narrow ? ["", ...said] : said
  return [
    `${paint(screen, style, mark)} ${narrow ? safe(check) : pad(safe(check), names)} ${first}`.trimEnd(),
    ...[...rest, ...then.map((line) => paint(screen, "faint", line))].map((line) => `${indent}${line}`),
  ]
}
