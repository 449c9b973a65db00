/** What a deployment would do, found out without changing anything. */
import * as Effect from "effect/Effect"
import type { StorageError } from "../../Errors.js"
import type { Views } from "../../ReadModels.js"
import { findService, fullName, type Placed, placeAll } from "../names.js"
import { lastGood, pastOf } from "./deploy.js"
import { hasCheck } from "./gate.js"
import { story } from "./held.js"
import type { Survey } from "./host/Ledger.js"
import { plain } from "./output.js"
import type { Parts } from "./parts.js"
import { limitsOf } from "./run.js"
import type { DeployerShape, DeployOptions, DeployPlan } from "./types.js"
import { checkVersion, deployScript, mentionsVersion, pulls } from "./version.js"

export const makePlan = (parts: Parts): Pick<DeployerShape, "plan"> => ({
  plan: Effect.fn("Deployer.plan")(function* (name: string, options: DeployOptions = {}) {
    const placed = yield* findService(parts.models, name)
    const { service } = placed
    const version = options.version === undefined ? undefined : yield* checkVersion(options.version)
    const back = yield* Effect.option(lastGood(placed, yield* pastOf(parts, placed)))
    const target = back._tag === "Some" ? back.value : undefined
    const command = service.deployCommand ?? ""
    const found = yield* parts.ledger.survey(placed.server, service.name, {
      projectPath: service.projectPath,
      version,
      pulls: pulls(command),
      rollback: target,
    })
    const limits = limitsOf(service.deploySettings, options)
    const to = found.wanted ?? version
    return {
      service: fullName(placed),
      server: placed.server.name,
      directory: service.deploySettings?.directory ?? service.projectPath,
      steps: stepsOf(placed, to, version !== undefined),
      from: found.commit ?? service.currentVersion,
      to: to ?? null,
      commits: found.commits?.map((line) => plain(line).slice(0, 200)),
      backwards: found.backwards,
      affected: yield* dependents(parts.models, placed),
      check: hasCheck(service)
        ? `${service.healthEndpoint} must answer well ${limits.gate.count} times in a row within ${limits.gate.timeout / 1000} s`
        : "no health check: it would be success (unverified)",
      timeout: limits.timeout,
      lock: found.holder ?? null,
      pinned: service.pinned,
      rollback: target === undefined ? null : { version: target, available: found.rollback ?? null },
      problems: problemsOf(placed, version, found),
    } satisfies DeployPlan
  }),
})

const stepsOf = ({ service }: Placed, to: string | undefined, asked: boolean): DeployPlan["steps"] => {
  const { deployCommand, deploySettings } = service
  const steps = [
    { step: "pre" as const, command: deploySettings?.pre },
    // As the host would get it: with the function around git, where a version is asked for that the command does not name.
    { step: "command" as const, command: deployCommand && deployScript(deployCommand, asked ? to : undefined) },
    { step: "post" as const, command: deploySettings?.post },
  ]
  return steps.flatMap(({ command, step }) => (command ? [{ step, command }] : []))
}

const problemsOf = (placed: Placed, version: string | undefined, found: Survey): ReadonlyArray<string> => {
  const { deployCommand: command, pinned, projectPath } = placed.service
  const problems: Array<string> = []
  if (command === null) problems.push("it has no deploy command")
  if (command?.includes("{{version}}") && version === undefined) problems.push("its deploy command needs a version")
  if (found.nowhere) problems.push(`the project path ${projectPath} cannot be entered`)
  if (found.missing) problems.push(`there is no version ${version}, neither there nor at the origin`)
  if (command !== null && version !== undefined && found.wanted === undefined && !mentionsVersion(command)) {
    problems.push("its deploy command does not say where the version goes")
  }
  if (pinned !== null && pinned.version !== version)
    problems.push(`it is pinned${pinned.reason === null ? "" : `: ${pinned.reason}`}`)
  if (found.holder !== undefined) problems.push(`it is locked: ${story(fullName(placed), found.holder).what}`)
  return problems
}

/** The services that need this one, directly or through others. */
const dependents = (models: Views, { service }: Placed): Effect.Effect<ReadonlyArray<string>, StorageError> =>
  Effect.gen(function* () {
    const edges = yield* models.dependencies.list()
    const affected = new Set([service.id])
    for (const id of affected) {
      for (const edge of edges) if (edge.dependsOnServiceId === id) affected.add(edge.serviceId)
    }
    affected.delete(service.id)
    const placed = yield* placeAll(models, yield* models.services.list())
    return placed
      .filter((one) => affected.has(one.service.id))
      .map(fullName)
      .sort()
  })
