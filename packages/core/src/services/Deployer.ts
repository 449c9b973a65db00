/** Deploys and rollbacks: run the command where the service lives, watch it become well, and keep the whole story. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Commands } from "../Commands.js"
import { ReadModels } from "../ReadModels.js"
import { makeDeploy } from "./deployer/deploy.js"
import { makeHistory } from "./deployer/history.js"
import type { DeployerShape } from "./deployer/types.js"
import { Health } from "./Health.js"
import { Hosts } from "./Hosts.js"

export type {
  DeployError,
  DeployOptions,
  DeployStep,
  RecordDeployment,
  RollbackOptions,
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
      const history = makeHistory(models, commands)
      return Deployer.of({ ...history, ...makeDeploy({ models, commands, health, hosts, history }) })
    }),
  )
}
