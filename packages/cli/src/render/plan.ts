/** What a deployment would do, as text. */
import type { DeployPlan } from "@context-engine/core/services/Deployer"
import { safe, safeLines } from "./safe.js"
import { block, type Cell } from "./table.js"
import { paint, type Renderer, type Screen, wrap } from "./text.js"
import { count, duration, version } from "./units.js"

/** One plan, or one below the other. */
export const plans: Renderer<DeployPlan | ReadonlyArray<DeployPlan>> = (answer, screen) => {
  const all = [answer].flat() as ReadonlyArray<DeployPlan>
  const bad = all.filter(({ problems }) => problems.length > 0).length
  const verdict =
    bad === 0
      ? `${paint(screen, "good", "✓")} nothing was changed; the same command without --plan does it`
      : `${paint(screen, "bad", "✗")} ${bad === 1 && all.length === 1 ? "it" : `${bad} of ${all.length}`} would be refused; nothing was changed`
  return [...all.map((one) => plan(one, screen)), wrap(verdict, screen.columns).join("\n")].join("\n\n")
}

const plan: Renderer<DeployPlan> = (value, screen) =>
  [
    block(screen, value.service, [
      ["runs on", value.server],
      ["in", value.directory ?? "the home directory"],
      ["from", version(value.from) || "nothing that is known"],
      ["to", value.to === null ? "whatever the command brings" : version(value.to)],
      ["for at most", duration(value.timeout / 1000)],
      ["then", value.check],
      ["affects", value.affected.length === 0 ? "no other service" : value.affected.join(", ")],
      ["lock", lockOf(value)],
      ["pinned", pinnedOf(value)],
      ["rollback", rollbackOf(value)],
    ]),
    ...value.steps.flatMap(({ command, step }) =>
      section(screen, titles[step], safeLines(command).trimEnd().split("\n")),
    ),
    ...commits(screen, value),
    ...value.problems.flatMap((problem) => marked(screen, problem)),
  ].join("\n")

const titles = { pre: "before", command: "deploy command", post: "after" } as const

const lockOf = ({ lock }: DeployPlan): Cell =>
  lock === null
    ? "free"
    : {
        text: `held by ${lock.actor} on ${lock.machine} for ${duration(lock.age)}${lock.reason === "" ? "" : ` (${lock.reason})`}`,
        style: "warn",
      }

const pinnedOf = ({ pinned }: DeployPlan): Cell =>
  pinned === null
    ? ""
    : {
        text: `at ${version(pinned.version) || "its version"}${pinned.reason === null ? "" : `: ${pinned.reason}`}`,
        style: "warn",
      }

const rollbackOf = ({ rollback }: DeployPlan): Cell => {
  if (rollback === null) return { text: "nowhere: no earlier version is known to have been well", style: "warn" }
  const to = version(rollback.version)
  if (rollback.available === null) return `to ${to}; whether the server has it cannot be told`
  return rollback.available
    ? `to ${to}, which the server has`
    : { text: `to ${to}, which the server no longer has`, style: "bad" }
}

const commits = (screen: Screen, { backwards, commits }: DeployPlan): ReadonlyArray<string> => {
  if (commits === undefined) return []
  if (commits.length === 0) return section(screen, "no commits between", [])
  return section(screen, `${count(commits.length, "commit")} ${backwards ? "taken away" : "brought"}`, commits)
}

/** A title and lines below it; what is too long goes on deeper. */
const section = (screen: Screen, title: string, lines: ReadonlyArray<string>): ReadonlyArray<string> => [
  `  ${paint(screen, "faint", title)}`,
  ...lines.flatMap((text) => {
    const line = safe(text)
    const indent = `    ${/^ */.exec(line)?.[0] ?? ""}`
    const [first = "", ...more] = wrap(line.trimStart(), Math.max(10, screen.columns - indent.length - 2))
    return [`${indent}${first}`.trimEnd(), ...more.map((rest) => `${indent}  ${rest}`)]
  }),
]

const marked = (screen: Screen, problem: string): ReadonlyArray<string> => {
  const [first = "", ...more] = wrap(safe(problem), Math.max(10, screen.columns - 4))
  return [`  ${paint(screen, "bad", "✗")} ${first}`, ...more.map((line) => `    ${line}`)]
}
