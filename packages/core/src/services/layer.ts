/** Every service that frontends call, over a log and a way to reach hosts. */
import * as Layer from "effect/Layer"
import type { Commands } from "../Commands.js"
import type { DeployLogs } from "../DeployLogs.js"
import type { EventLog } from "../EventLog.js"
import type { ReadModels } from "../ReadModels.js"
import type { Remote } from "../Remote.js"
import { Deployer } from "./Deployer.js"
import { Fleet } from "./Fleet.js"
import { Health } from "./Health.js"
import { Hosts } from "./Hosts.js"
import { Lifecycle } from "./Lifecycle.js"
import { Logs } from "./Logs.js"
import { Overview } from "./Overview.js"
import { Registry } from "./Registry.js"
import { RunCommand } from "./RunCommand.js"
import { Scanner } from "./Scanner.js"
import { ServerImport } from "./ServerImport.js"

export type Services =
  | Registry
  | Overview
  | Hosts
  | Fleet
  | Health
  | Deployer
  | Scanner
  | ServerImport
  | Logs
  | Lifecycle
  | RunCommand

export const layer: Layer.Layer<Services, never, ReadModels | EventLog | Commands | DeployLogs | Remote> =
  Layer.mergeAll(
    Registry.layer,
    Overview.layer,
    Fleet.layer,
    Deployer.layer,
    Scanner.layer,
    ServerImport.layer,
    Logs.layer,
    Lifecycle.layer,
    RunCommand.layer,
  ).pipe(Layer.provideMerge(Health.layer), Layer.provideMerge(Hosts.layer))
