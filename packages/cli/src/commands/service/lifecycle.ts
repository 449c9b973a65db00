/** `context infra service restart <name>`, `stop` and `start`. */
import type { Lifecycle, LifecycleReport } from "@context-engine/core/services/Lifecycle"
import * as Effect from "effect/Effect"
import { type Leaf, leaf } from "../../leaf.js"
import { argument, connecting, flag, removing, text } from "../../options.js"
import { confirmed } from "../../removal.js"
import { duration } from "../../render/units.js"
import { logIsThere } from "../../runtime/log.js"
import { load, withRegistry, withRunning } from "../../runtime.js"
import { millis } from "../../since.js"
import { Refused } from "../../usage.js"

type Action = LifecycleReport["action"]

const args = { name: argument("name", "The service: api, or myserver/api") }

const common = { ...connecting, force: flag("force", "Do it although it is being deployed, or is locked") }

const gated = {
  ...common,
  healthTimeout: text("health-timeout", "span", "How long it may take to become healthy (default: 60s)"),
}

const how = "By its restart command, else by systemd, docker, podman or pm2"

interface Asked {
  readonly name: string
  readonly json: boolean
  readonly db: string | undefined
  readonly acceptHostKey: boolean
  readonly force: boolean
  readonly healthTimeout?: string | undefined
}

/** Does it, and shows what is printed as it comes: on standard error if the answer is to be JSON. */
const act = (action: Action, asked: Asked) =>
  Effect.gen(function* () {
    const healthTimeout = yield* millis("--health-timeout", asked.healthTimeout, `service ${action}`)
    return yield* withRunning(asked, ({ lifecycle }) =>
      load(
        () => import("../../acting.js"),
        ({ watched }) =>
          watched({ json: asked.json, title: `${action} of ${asked.name}` }, (watch) =>
            (lifecycle as Lifecycle["Type"])[action](asked.name, { ...watch, healthTimeout, force: asked.force }),
          ),
      ),
    )
  })

const did: Record<Action, string> = { restart: "restarted", stop: "stopped", start: "started" }

const said = (report: LifecycleReport): string => {
  const { action, server, service, verified } = report
  const well = verified ? ", and healthy" : action === "stop" ? "" : " (unverified: it has no health endpoint to ask)"
  return `${server}/${service} ${did[action]} in ${duration(report.duration)}${well}`
}

/** The sentence is for what was done; what was not is told as a failure. */
const answer = async () => {
  const { done } = await import("../../render/done.js")
  const sentence = done(said)
  return (report: LifecycleReport, to: Parameters<typeof sentence>[1]) =>
    report.outcome === "done" ? sentence(report, to) : ""
}

const unwell = ({ action, outcome, reason, server, service }: LifecycleReport): Refused | undefined => {
  if (outcome === "done") return undefined
  const name = `${server}/${service}`
  return new Refused({
    message:
      outcome === "failed"
        ? `the ${action} of ${name} failed: ${reason}`
        : `nobody knows how the ${action} of ${name} ended: ${reason}`,
    next: `see what it wrote: context infra service logs ${name}`,
  })
}

export const restart: Leaf = leaf({
  name: "restart",
  description: `Restarts a service, and waits until it is healthy. ${how}.`,
  examples: ["service restart api", "service restart myserver/api --health-timeout 2m"],
  args,
  options: gated,
  run: (given) => act("restart", given),
  render: answer,
  unwell,
})

export const start: Leaf = leaf({
  name: "start",
  description: "Starts a service that was stopped, by systemd, docker, podman or pm2, and waits until it is healthy.",
  examples: ["service start api"],
  args,
  options: gated,
  run: (given) => act("start", given),
  render: answer,
  unwell,
})

export const stop: Leaf = leaf({
  name: "stop",
  description: "Stops a service, by systemd, docker, podman or pm2. Asks first.",
  examples: ["service stop api", "service stop api --yes"],
  args,
  options: { ...common, ...removing },
  run: (given) =>
    Effect.gen(function* () {
      if (given.yes) return yield* act("stop", given)
      yield* logIsThere(given.db)
      const meant = yield* withRegistry(given, ({ services }) => services.get(given.name))
      const name = `${meant.server}/${meant.name}`
      yield* confirmed(false, `stop service ${name}`)
      return yield* act("stop", { ...given, name })
    }),
  render: answer,
  unwell,
})
