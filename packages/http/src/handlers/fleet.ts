/** The handlers of what is done by hand to what runs. */
import { InvalidInput } from "@context-engine/core/Errors"
import { Lifecycle } from "@context-engine/core/services/Lifecycle"
import { RunCommand, type RunReport } from "@context-engine/core/services/RunCommand"
import { type Applied, type Finding, Scanner } from "@context-engine/core/services/Scanner"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Api } from "../api/Api.js"
import { started } from "./deploying.js"
import { linesOf } from "./lines.js"
import { readLogs } from "./logs.js"

/** Whoever asked may hang up: it is carried through, and the log tells how it ended. */
const act = (
  action: keyof Lifecycle["Type"],
  { name }: { readonly name: string },
  options: Parameters<Lifecycle["Type"]["restart"]>[1],
) => Effect.flatMap(Lifecycle, (_) => Effect.flatMap(started(_[action](name, options)), Fiber.join))

/** How much of each stream of a server an answer holds, in characters. */
const most = 64 * 1024

const shortened = (report: RunReport): RunReport => {
  const { stderr, stdout } = report
  const truncated = report.truncated || stdout.length > most || stderr.length > most
  return { ...report, stdout: beginning(stdout), stderr: beginning(stderr), truncated }
}

/** Whole lines, where there are any: a secret that is cut in two is not recognised. */
const beginning = (text: string): string => {
  const end = text.length <= most ? text.length : text.lastIndexOf("\n", most) + 1 || most
  const lines = linesOf(text.slice(0, end)).join("\n")
  return text[end - 1] === "\n" ? `${lines}\n` : lines
}

/** Those of the ids that the scan found are registered; the others are told apart. */
const applied = (server: string, findings: ReadonlyArray<Finding>, ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const chosen = findings.filter(({ id }) => ids.includes(id))
    const unknown = ids.filter((id) => !findings.some((finding) => finding.id === id))
    const done: Applied =
      chosen.length === 0
        ? { applied: [], skipped: [] }
        : yield* Effect.flatMap(Scanner, (_) => _.apply(server, chosen))
    const skipped = unknown.map((id) => ({ id, reason: "the scan does not find it" }))
    return { applied: done.applied, skipped: [...done.skipped, ...skipped] }
  })

export const layer = HttpApiBuilder.group(Api, "fleet", (handlers) =>
  handlers
    .handle("logs", ({ path, request, urlParams }) => readLogs(request, path.name, urlParams))
    .handle("restart", ({ path, payload }) => act("restart", path, payload))
    .handle("stop", ({ path, payload }) => act("stop", path, payload))
    .handle("start", ({ path, payload }) => act("start", path, payload))
    .handle("run", ({ payload: { all, command, concurrency, servers = [], tag, timeout } }) =>
      Effect.gen(function* () {
        if (servers.length === 0 && tag === undefined && all !== true) return yield* nowhere
        const where = { names: servers, tag, ...(all === undefined ? {} : { all }) }
        const commands = yield* RunCommand
        return (yield* commands.run(where, command, { timeout, concurrency })).map(shortened)
      }),
    )
    .handle("scan", ({ path, payload }) =>
      Effect.gen(function* () {
        const report = yield* Effect.flatMap(Scanner, (_) => _.scan(path.name))
        const ids = payload.apply
        return { ...report, applied: ids === undefined ? null : yield* applied(path.name, report.findings, ids) }
      }),
    ),
)

const nowhere = new InvalidInput({ field: "servers", reason: "must name servers, unless tag or all says which" })
