/** Differences between what there is and what is registered, as people choose from them. */
import { safe } from "./safe.js"
import { paint, type Screen, type Style, wrap } from "./text.js"

/** Something that is new, changed or gone. */
export interface Difference {
  readonly change: "new" | "changed" | "gone"
  /** What people call it: `service api`. */
  readonly title: string
  readonly fields: ReadonlyArray<{ readonly field: string; readonly from: unknown; readonly to: unknown }>
  /** From 0 to 1, where it may be doubted. */
  readonly confidence?: number
  /** Why it is believed, a line each. */
  readonly evidence: ReadonlyArray<string>
}

const marks = { new: ["+", "good"], changed: ["~", "warn"], gone: ["-", "bad"] } as const satisfies Record<
  Difference["change"],
  readonly [string, Style]
>

/** One difference: what it is, its fields, and what speaks for it. */
export const difference = (screen: Screen, { change, confidence, evidence, fields, title }: Difference): string => {
  const [sign, style] = marks[change]
  const doubt = confidence === undefined ? "" : `, ${certainty(confidence)}`
  const [first = "", ...more] = wrap(`${safe(title)}${doubt}`, screen.columns - 4)
  const shown = fields.map(changeOf).join(", ")
  return [
    `  ${paint(screen, style, sign)} ${paint(screen, "strong", first)}`,
    ...more.map((line) => `    ${paint(screen, "strong", line)}`),
    ...(shown === "" ? [] : hanging(screen, "", shown)),
    ...evidence.flatMap((line) => hanging(screen, "· ", line, "faint")),
  ].join("\n")
}

/** The same in a few words, for a list to choose from. */
export const brief = ({ change, confidence, fields, title }: Difference): string => {
  const what = change === "changed" ? fields.map(changeOf).join(", ") : ""
  return [`${marks[change][0]} ${title}`, confidence === undefined ? "" : certainty(confidence), what]
    .filter((part) => part !== "")
    .join(", ")
}

/** `high (88%)` */
const certainty = (confidence: number): string =>
  `${confidence >= 0.75 ? "high" : confidence >= 0.5 ? "medium" : "low"} (${Math.round(confidence * 100)}%)`

const hanging = (screen: Screen, mark: string, text: string, style?: Style): ReadonlyArray<string> =>
  wrap(safe(text), Math.max(10, screen.columns - 6 - mark.length)).map(
    (line, index) => `      ${paint(screen, style, `${index === 0 ? mark : " ".repeat(mark.length)}${line}`)}`,
  )

/** What people call the fields: as the options that set them. */
const labels: Record<string, string> = {
  projectPath: "project",
  proxyType: "proxy",
  dependencyType: "type",
  keyPath: "key",
  jumpHost: "jump",
}

const changeOf = ({ field, from, to }: Difference["fields"][number]): string => {
  const name = labels[field] ?? field
  return from === null || from === undefined ? `${name} ${valueOf(to)}` : `${name} ${valueOf(from)} → ${valueOf(to)}`
}

const valueOf = (value: unknown): string => {
  if (value === null || value === undefined) return "none"
  if (typeof value === "boolean") return value ? "yes" : "no"
  if (typeof value !== "object") return String(value)
  return Object.entries(value)
    .map(([key, part]) => `${key}=${typeof part === "object" ? JSON.stringify(part) : String(part)}`)
    .join(" ")
}

/** `3 new, 1 changed`; empty where nothing differs. */
export const counted = (found: ReadonlyArray<{ readonly change: string }>): string =>
  ["new", "changed", "gone"]
    .map((change) => [found.filter((one) => one.change === change).length, change] as const)
    .filter(([n]) => n > 0)
    .map(([n, change]) => `${n} ${change}`)
    .join(", ")

/** Lines with a mark before them, for what went wrong or well. */
export const marked = (screen: Screen, style: "good" | "warn" | "bad", text: string): string => {
  const sign = { good: "✓", warn: "!", bad: "✗" }[style]
  return wrap(safe(text), screen.columns - 2)
    .map((line, index) => `${index === 0 ? paint(screen, style, sign) : " "} ${line}`)
    .join("\n")
}
