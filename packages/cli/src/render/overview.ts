/** The overview as text: a server a line, its services below it, each with the age of what is known. */
import type { OverviewServer, OverviewService, OverviewStatus } from "@context-engine/core/services/Overview"
import { safe } from "./safe.js"
import { sign, styleOf } from "./states.js"
import { pad, paint, type Renderer, type Screen, width, wrap } from "./text.js"
import { ago, count, version } from "./units.js"

export const overview: Renderer<OverviewStatus> = (status, screen) => {
  if (status.servers.length === 0) {
    return [
      "nothing is registered yet",
      "  this machine:  context infra server add <name> --local",
      "  another one:   context infra server add <name> --ip <address> --ssh user=<user>",
      ...refused(screen, status.rejected),
    ].join("\n")
  }
  const services = status.servers.flatMap((server) => server.services)
  const longest = Math.min(24, Math.max(...services.map((service) => width(service.name)), 0))
  return [
    ...status.servers.flatMap((server) => [
      ...serverLines(screen, server),
      ...server.services.flatMap((service) => serviceLines(screen, service, longest)),
    ]),
    summary(screen, status.servers, services),
    ...refused(screen, status.rejected),
  ].join("\n")
}

const refused = (screen: Screen, rejected: number): ReadonlyArray<string> =>
  rejected === 0
    ? []
    : [`${paint(screen, "bad", "✗")} ${count(rejected, "command")} refused`, "    context infra sync rejected"]

const serverLines = (screen: Screen, server: OverviewServer): ReadonlyArray<string> => {
  const facts = [server.status, server.role, checked(screen, server.checkedAt), server.reason]
  return entry(screen, "", server.status, paint(screen, "strong", safe(server.name)), width(safe(server.name)), facts)
}

const serviceLines = (screen: Screen, service: OverviewService, longest: number): ReadonlyArray<string> => {
  const word = wordOf(service)
  const detail = service.health === "healthy" ? null : service.detail
  // How well it was before somebody stopped it says nothing now.
  const health = word === service.health || word === "stopped" ? null : service.health
  const stopped = service.status === "stopped" && word !== "stopped" ? "stopped" : null
  const failed = service.lastDeployment === "failed" ? "its last deploy failed" : null
  const facts = [
    word,
    health,
    stopped,
    version(service.version),
    pinned(service),
    checked(screen, service.checkedAt),
    detail,
    failed,
  ]
  const name = pad(safe(service.name), longest)
  return entry(screen, "  ", word, name, width(name), facts)
}

/** What to say first of a service: that it is unwell, else what becomes of its deployment, else how well it is. */
const wordOf = ({ health, lastDeployment, status }: OverviewService): string => {
  if (health === "unhealthy" || health === "degraded") return health
  if (lastDeployment === "in_progress") return "deploying"
  if (lastDeployment === "unknown") return "deploy unknown"
  return status === "stopped" ? status : health
}

const pinned = ({ pinned }: OverviewService): string | null =>
  pinned === null ? null : `pinned${pinned.reason === null ? "" : ` (${pinned.reason})`}`

/** A sign, a name and what is known; what does not fit goes on below the name. */
const entry = (
  screen: Screen,
  indent: string,
  word: string,
  name: string,
  size: number,
  facts: ReadonlyArray<string | null>,
): ReadonlyArray<string> => {
  const [state = "", ...rest] = facts.filter((fact) => fact !== null && fact !== "").map((fact) => safe(fact as string))
  const head = `${indent}${paint(screen, styleOf(word), sign(word))} ${name}  ${paint(screen, styleOf(word), state)}`
  const text = rest.join(", ")
  const room = screen.columns - indent.length - size - width(state) - 5
  if (text === "") return [head]
  if (width(text) + 1 <= room) return [`${head}  ${text}`]
  const below = `${indent}    `
  return [head, ...wrap(text, Math.max(10, screen.columns - below.length)).map((line) => `${below}${line}`)]
}

const checked = (screen: Screen, at: string | null): string =>
  at === null ? "never checked" : `checked ${ago(screen, at)}`

const summary = (
  screen: Screen,
  servers: ReadonlyArray<OverviewServer>,
  services: ReadonlyArray<OverviewService>,
): string => {
  const words = [...servers.map((server) => server.status), ...services.map(wordOf)]
  const bad = words.filter((word) => styleOf(word) === "bad" || word === "degraded").length
  const neither = ["deploying", "stopped"].flatMap((state) => {
    const found = words.filter((word) => word === state).length
    return found === 0 ? [] : [`${found} ${state}`]
  })
  const unknown = words.filter((word) => word === "unknown" || word === "deploy unknown").length
  const verdict =
    bad > 0
      ? paint(screen, "bad", `${bad} unwell`)
      : unknown + neither.length > 0
        ? [...neither, ...(unknown > 0 ? [`${unknown} unknown`] : [])].join(", ")
        : paint(screen, "good", "all is well")
  const hint = ["  ask them: context infra server status", "            context infra health"]
  return [
    `${count(servers.length, "server")}, ${count(services.length, "service")}: ${verdict}`,
    ...(unknown > 0 && screen.now !== undefined ? hint : []),
  ].join("\n")
}
