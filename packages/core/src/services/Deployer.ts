/**
 * Deploys and rollbacks: run the command where the service lives, watch it become well, and keep the whole story.
 *
 * The command runs on its host by itself; whoever asked for it only watches, and may be cut off, come back, or be replaced by
 * somebody on another machine. A lock on the host sees to it that there is one at a time.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Commands } from "../Commands.js"
import { DeployLogs } from "../DeployLogs.js"
import { ReadModels } from "../ReadModels.js"
import { makeDeploy } from "./deployer/deploy.js"
import { makeHistory } from "./deployer/history.js"
import { makeLedger } from "./deployer/host/Ledger.js"
import { makeLock } from "./deployer/lock.js"
import { makeMany } from "./deployer/many.js"
import { makePlan } from "./deployer/plan.js"
import { makeSettle } from "./deployer/settle.js"
import type { DeployerShape } from "./deployer/types.js"

export type { LockHolder } from "./deployer/host/replies.js"

import { Health } from "./Health.js"
import { Hosts } from "./Hosts.js"

export type {
  DeployError,
  DeployedMany,
  DeployOptions,
  DeployPlan,
  DeployStep,
  RecordDeployment,
  RollbackOptions,
  Watch,
} from "./deployer/types.js"

/**
 * Deploys services. A deployment that ran and failed is an answer (`status: "failed"`, with its `reason`), not an error;
 * errors mean that nothing was run.
 */
export class Deployer extends Context.Tag("@context-engine/core/Deployer")<Deployer, DeployerShape>() {
  static readonly layer = Layer.effect(
    Deployer,
    Effect.gen(function* () {
      const models = yield* ReadModels
      const commands = yield* Commands
      const health = yield* Health
      const hosts = yield* Hosts
      const logs = yield* DeployLogs
      const history = makeHistory(models, commands, logs)
      const parts = { models, commands, health, hosts, logs, history, ledger: makeLedger(hosts) }
      const one = makeDeploy(parts)
      return Deployer.of({
        ...history,
        ...one,
        ...makeSettle(parts),
        ...makePlan(parts),
        ...makeLock(parts),
        deployMany: makeMany(parts, one.deploy),
      })
    }),
  )
}
