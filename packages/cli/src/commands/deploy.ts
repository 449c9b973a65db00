/** `context infra deploy <service…>`, and what else there is to do about deployments. */
import type { DeployMethod } from "@context-engine/core/domain/Service"
import type { DeployedMany, Deployer, DeployPlan } from "@context-engine/core/services/Deployer"
import type { Registry } from "@context-engine/core/services/Registry"
import type { DeploymentRow } from "@context-engine/core/views/deployments"
import * as Effect from "effect/Effect"
import type { Branch } from "../branch.js"
import { askedFor, deploying, failure, failureOfMany } from "../deployment.js"
import { leaf } from "../leaf.js"
import { argumentList, choice, flag, text } from "../options.js"
import type { Renderer } from "../output.js"
import { load, withDeployer } from "../runtime.js"
import { progress } from "../terminal.js"
import { Refused, UsageError } from "../usage.js"
import { attach } from "./deploy/attach.js"
import { cancel } from "./deploy/cancel.js"
import { lock, unlock } from "./deploy/lock.js"
import { pin, unpin } from "./deploy/pin.js"

const methods = ["manual", "ci", "claude"] as const satisfies ReadonlyArray<DeployMethod>

const deploy = leaf({
  name: "deploy",
  description:
    "Runs the deploy command of a service on its server, waits until the service is healthy, and records how it went. " +
    "The command runs there by itself: it goes on when the connection drops, and is picked up again. " +
    "Several services are deployed one after the other, and none after a failure.",
  examples: [
    "deploy api",
    "deploy api --version 4f2a91c --plan",
    "deploy --tag edge --batch 25%",
    "deploy attach api",
    'deploy lock api -m "migrating the database"',
  ],
  args: { services: argumentList("service", "The service: api, or myserver/api") },
  options: {
    version: text("version", "sha", "The git sha, tag or version to bring; else whatever the command brings"),
    plan: flag("plan", "Show what would be done, and change nothing"),
    tag: text("tag", "tag", "Every service with a deploy command on the servers with this tag"),
    batch: text("batch", "number", "How many services at once: 2, or a share such as 25% (default: 1)"),
    method: choice("method", methods, "Who deploys (default: manual)"),
    autoRollback: flag("auto-rollback", "If it fails, go back to the last version that was well"),
    ...deploying,
  },
  run: (given) =>
    Effect.gen(function* () {
      const { services, tag } = given
      if (services.length === 0 && tag === undefined) return yield* nothingNamed
      const { autoRollback, batch, json, method, plan, version } = given
      const asked = { ...(yield* askedFor("deploy", given)), version }
      const options = { ...asked, method, ...(autoRollback ? { autoRollback } : {}) }
      return yield* withDeployer(given, (deployer, registry) => {
        if (plan) return planned(deployer, registry, given, asked).pipe(progress("looking at what would be done"))
        const [service] = services
        const many = tag !== undefined || services.length !== 1 || service === undefined
        return load(
          () => import("../following.js"),
          ({ follow }): Effect.Effect<Answer, unknown> =>
            many
              ? follow(deployer, { json, title: "deploying", many }, (watch) =>
                  deployer.deployMany({ services, tag }, { ...options, batch, watch }),
                )
              : follow(deployer, { json, title: `deploy of ${service}` }, (watch) =>
                  deployer.deploy(service, { ...options, ...watch(service) }),
                ),
        )
      })
    }),
  render: async ({ plan }) => {
    const { deployed } = await import("../render/deployments.js")
    const { plans } = await import("../render/plan.js")
    return (plan ? plans : deployed) as Renderer<Answer>
  },
  unwell: (answer) => {
    if ("deployments" in answer) return failureOfMany(answer)
    if ("status" in answer) return failure(answer)
    return [answer].flat().some(({ problems }: DeployPlan) => problems.length > 0)
  },
})

type Answer = DeploymentRow | DeployedMany | DeployPlan | ReadonlyArray<DeployPlan>

const nothingNamed = new UsageError({ message: "missing argument <service>", see: "context infra deploy --help" })

interface Planned {
  readonly services: ReadonlyArray<string>
  readonly tag: string | undefined
}

/** One plan where one service is named, else a list of them. */
const planned = (
  deployer: Deployer["Type"],
  registry: Registry["Type"],
  { services, tag }: Planned,
  asked: Parameters<Deployer["Type"]["plan"]>[1],
): Effect.Effect<Answer, unknown> =>
  Effect.gen(function* () {
    const [service] = services
    if (tag === undefined && services.length === 1 && service !== undefined) return yield* deployer.plan(service, asked)
    const names = [...new Set([...services, ...(tag === undefined ? [] : yield* tagged(registry, tag))])]
    if (names.length > 0) return yield* Effect.forEach(names, (name) => deployer.plan(name, asked))
    return yield* new Refused({ message: `no service with a deploy command is on a server tagged ${tag}` })
  })

const tagged = ({ servers, services }: Registry["Type"], tag: string) =>
  Effect.gen(function* () {
    const names = (yield* servers.list()).filter(({ tags }) => tags.includes(tag)).map(({ name }) => name)
    const all = yield* services.list()
    return all
      .filter(({ deployCommand, server }) => names.includes(server) && deployCommand !== null)
      .map(({ name, server }) => `${server}/${name}`)
  })

export const branch: Branch = { own: deploy, verbs: [attach, cancel, lock, unlock, pin, unpin] }
