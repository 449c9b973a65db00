/** The options that set how a service is deployed, for `add` and `update`. */
import type { DeploySettings } from "@context-engine/core/domain/Service"
import { change, changeList, choiceOrNone, given, integerOrNone, many, text, yesNo } from "../../options.js"

const orders = ["start-first", "stop-first", "none"] as const

export const settingOptions = {
  pre: text("pre", "command", "Runs before the deploy command; if it fails, so does the deployment"),
  post: text("post", "command", "Runs after the deploy command; if it fails, so does the deployment"),
  deployEnv: many("deploy-env", "NAME", "A variable to take along from where you deploy: its name only, repeatable"),
  deployDirectory: text("deploy-dir", "path", "Where the deploy command runs (default: the project path)"),
  deployTimeout: text("deploy-timeout", "span", "How long the commands of a deployment may run (default: 15m)"),
  healthTimeout: text("health-timeout", "span", "How long it may take to become healthy (default: 60s)"),
  healthCount: integerOrNone("health-count", "How many checks in a row must find it healthy (default: 2)"),
  autoRollback: yesNo("auto-rollback", "Whether a deployment that fails is rolled back at once"),
  deployOrder: choiceOrNone("deploy-order", orders, "A note: whether the new one starts before the old one stops"),
}

interface Settings {
  readonly pre: string | undefined
  readonly post: string | undefined
  readonly deployEnv: ReadonlyArray<string>
  readonly deployDirectory: string | undefined
  readonly deployTimeout: string | undefined
  readonly healthTimeout: string | undefined
  readonly healthCount: number | null | undefined
  readonly autoRollback: boolean | undefined
  readonly deployOrder: (typeof orders)[number] | null | undefined
}

/** The settings as they are to be, over those that are there: nothing where the options say nothing of them. */
export const settingsOf = (
  options: Settings,
  there: DeploySettings | null,
): { readonly deploySettings?: DeploySettings | null } => {
  const env = changeList(options.deployEnv)
  const changes = given({
    pre: change(options.pre),
    post: change(options.post),
    env: env?.length === 0 ? null : env,
    directory: change(options.deployDirectory),
    timeout: change(options.deployTimeout),
    healthTimeout: change(options.healthTimeout),
    healthCount: options.healthCount,
    autoRollback: options.autoRollback,
    order: options.deployOrder === "none" ? null : options.deployOrder,
  })
  if (Object.keys(changes).length === 0) return {}
  const left = Object.entries({ ...there, ...changes }).filter(([, value]) => value !== null)
  return { deploySettings: left.length === 0 ? null : (Object.fromEntries(left) as DeploySettings) }
}
