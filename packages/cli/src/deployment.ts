/** What commands that deploy have in common: their options, and what is said of a deployment that did not go well. */
import type { DeployedMany } from "@context-engine/core/services/Deployer"
import type { DeploymentRow } from "@context-engine/core/views/deployments"
import * as Effect from "effect/Effect"
import { connecting, flag, integer, text } from "./options.js"
import { safeLines } from "./render/safe.js"
import { version } from "./render/units.js"
import { millis } from "./since.js"
import { Refused, UsageError } from "./usage.js"

export const deploying = {
  ...connecting,
  note: text("note", "text", "A note to keep with it"),
  healthTimeout: text("health-timeout", "span", "How long it may take to become healthy (default: 60s)"),
  healthCount: integer("health-count", "How many checks in a row must find it healthy (default: 2)"),
  timeout: text("timeout", "span", "How long the commands may run (default: 15m)"),
  wait: text("wait", "span", "How long to wait for a deployment of somebody else to end (default: not at all)"),
  takeOver: flag("take-over", "Take the lock of somebody who is gone; one that is held by hand stays"),
}

interface Asked {
  readonly note: string | undefined
  readonly healthTimeout: string | undefined
  readonly healthCount: number | undefined
  readonly timeout: string | undefined
  readonly wait: string | undefined
  readonly takeOver: boolean
}

/** What the options ask for. The environment goes along for the variables that a service's settings name. */
export const askedFor = (command: string, given: Asked) =>
  Effect.gen(function* () {
    const span = (name: string, value: string | undefined) => millis(name, value, command)
    const { healthCount } = given
    if (healthCount !== undefined && healthCount > 100) {
      return yield* unreadable(command, `--health-count must be at most 100, not ${healthCount}`)
    }
    return {
      notes: given.note || undefined,
      healthTimeout: yield* span("--health-timeout", given.healthTimeout),
      healthCount,
      timeout: yield* span("--timeout", given.timeout),
      wait: yield* span("--wait", given.wait),
      takeOver: given.takeOver,
      environment: process.env,
    }
  })

const unreadable = (command: string, message: string) =>
  new UsageError({ message, see: `context infra ${command} --help` })

/** Why the exit status is 1, and what to do; nothing for a deployment that went well. */
export const failure = (row: DeploymentRow): Refused | undefined => {
  const name = `${row.server}/${row.service}`
  const what = `${row.deployMethod === "rollback" ? "the rollback" : "the deploy"} of ${name}`
  const reason = row.reason ?? "no reason is known"
  switch (row.status) {
    case "failed":
      return new Refused({ message: `${what} failed: ${reason}`, shown: lastLines(row), next: wayBack(row, name) })
    case "rolled_back":
      // Succeeded at its time, and was gone back from later, by somebody else's command.
      if (row.reason === null) return undefined
      return new Refused({
        message: `${what} failed: ${reason}; it was rolled back to ${version(row.rollbackVersion)}`,
        shown: lastLines(row),
        next: `all that it printed: context infra history show ${row.id}`,
      })
    case "unknown":
      return new Refused({
        message: `nobody knows how ${what} ended: ${reason}`,
        shown: lastLines(row),
        next: `look at ${row.server}, then deploy again or roll back; it is never run twice by itself`,
      })
    default:
      return undefined
  }
}

const wayBack = ({ deployMethod }: DeploymentRow, name: string): string =>
  deployMethod === "rollback"
    ? `see what there is to go back to: context infra history ${name}`
    : `roll back: context infra rollback ${name}`

/** The end of what it printed. */
const lastLines = ({ logs }: DeploymentRow): ReadonlyArray<string> => {
  const text = safeLines(logs ?? "").trimEnd()
  return text === "" ? [] : text.split("\n").slice(-10)
}

/** The same for many: which went wrong, and which were not begun for it. */
export const failureOfMany = ({ deployments, left, refused }: DeployedMany): Refused | undefined => {
  const bad = deployments.filter(({ status }) => status !== "success")
  if (bad.length === 0 && refused.length === 0) return undefined
  const names = [...bad.map(({ server, service }) => `${server}/${service}`), ...refused.map(({ service }) => service)]
  const rest = left.length === 0 ? "" : `; not begun: ${left.join(", ")}`
  const [first] = bad
  return new Refused({
    message: `${names.join(", ")} ${names.length === 1 ? "was" : "were"} not deployed well${rest}`,
    ...(first === undefined ? {} : { shown: lastLines(first) }),
    ...(left.length === 0 ? {} : { next: `when that is mended: context infra deploy ${left.join(" ")}` }),
  })
}
