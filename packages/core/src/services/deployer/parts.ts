/** What the deployer is made of, for its parts. */
import type { Commands } from "../../Commands.js"
import type { DeployLogs } from "../../DeployLogs.js"
import type { ReadModels } from "../../ReadModels.js"
import type { Health } from "../Health.js"
import type { Hosts } from "../Hosts.js"
import type { History } from "./history.js"
import type { Ledger } from "./host/Ledger.js"

export interface Parts {
  readonly models: ReadModels["Type"]
  readonly commands: Commands["Type"]
  readonly health: Health["Type"]
  readonly hosts: Hosts["Type"]
  readonly logs: DeployLogs["Type"]
  readonly ledger: Ledger
  readonly history: History
}
