/** What an event means to a person: a title, how grave it is, and whom it concerns. Routine events mean nothing. */
import * as Schema from "effect/Schema"
import { idOf } from "../Aggregate.js"
import { entity as dependency } from "../domain/Dependency.js"
import { type DomainEvent, definitions } from "../domain/Events.js"
import type { CommandRejected } from "../domain/Rejection.js"
import { entity as route } from "../domain/Route.js"
import { entity as secret } from "../domain/Secret.js"
import { entity as server } from "../domain/Server.js"
import { type ServiceActionEnded, entity as service } from "../domain/Service.js"
import { lift } from "../domain/Upcasts.js"
import { inertType, type Recorded } from "../Event.js"
import type { InfraEventRow } from "./infraEvents.js"

type Story = Pick<InfraEventRow, "type" | "severity" | "title"> & Partial<InfraEventRow>

/** The story of an event, or `undefined` where there is nothing to tell. A type of a later version is told raw. */
export const tell = (event: Recorded): Story | undefined => {
  const id = idOf(event.stream)
  const stream = event.stream.slice(0, event.stream.indexOf("-"))
  if (event.type === inertType) return undefined
  if (stream === "server") return serverStory(event as DomainEvent, id)
  if (stream === "service") return serviceStory(event as DomainEvent, id)
  return otherStory(event as DomainEvent) ?? raw(event)
}

const raw = (event: Recorded): Story => ({
  type: "unknown",
  severity: "info",
  title: `${event.type} (not known to this version)`,
  metadata: event.data,
})

const config = (title: string, rest: Partial<InfraEventRow> = {}): Story => ({
  type: "config",
  severity: "info",
  title,
  ...rest,
})

const security = (title: string, description: string | null, severity: Story["severity"] = "info"): Story => ({
  type: "security",
  severity,
  title,
  description,
})

const serverStory = (event: DomainEvent, serverId: string): Story | undefined => {
  const about = (server: string) => ({ serverId, server })
  switch (event.type) {
    case "ServerAdded":
      return config(`server ${event.data.name} added`, about(event.data.name))
    case "ServerUpdated":
      return config(`server ${changed(server, event.data)}`, {
        ...about(event.data.name),
        metadata: event.data.changes,
      })
    case "ServerRenamed":
      return config(`server ${event.data.from} renamed to ${event.data.to}`, about(event.data.to))
    case "ServerRemoved":
      return config(`server ${event.data.name} removed`, about(event.data.name))
    case "HostKeyPinned":
      return {
        ...about(event.data.server),
        type: "security",
        severity: "info",
        title: `host key of ${event.data.address} accepted`,
        description: `${event.data.algorithm} ${event.data.fingerprint}`,
      }
    case "HostKeyForgotten":
      return {
        ...about(event.data.server),
        type: "security",
        severity: "warning",
        title: `host key of ${event.data.address} forgotten`,
      }
    case "CommandRun": {
      const { argv, exitCode, reason, server } = event.data
      return {
        ...about(server),
        type: "maintenance",
        severity: exitCode === 0 ? "info" : "warning",
        title: `ran ${cut(argv.join(" "))}${exitCode === 0 ? "" : exitCode === null ? ": its end was not seen" : `: exit status ${exitCode}`}`,
        description: reason,
        metadata: { argv, exitCode },
      }
    }
    case "ServerChecked": {
      if (event.data.status === event.data.previous) return undefined
      return {
        ...about(event.data.server),
        type: "health_change",
        severity: event.data.status === "offline" ? "error" : event.data.status === "degraded" ? "warning" : "info",
        title: `server ${event.data.server} is ${event.data.status}`,
        description: event.data.reason,
      }
    }
    default:
      return raw(event as Recorded)
  }
}

const serviceStory = (event: DomainEvent, serviceId: string): Story | undefined => {
  const about = (service: string) => ({ serviceId, service })
  switch (event.type) {
    case "ServiceAdded":
      return config(`service ${event.data.name} added`, { ...about(event.data.name), serverId: event.data.serverId })
    case "ServiceUpdated":
      return config(`service ${changed(service, event.data)}`, {
        ...about(event.data.name),
        metadata: event.data.changes,
      })
    case "ServiceRenamed":
      return config(`service ${event.data.from} renamed to ${event.data.to}`, about(event.data.to))
    case "ServiceRemoved":
      return config(`service ${event.data.name} removed`, about(event.data.name))
    case "HealthChecked":
    case "DeploymentStarted":
    case "DeploymentSucceeded":
    case "DeploymentFailed":
    case "DeploymentLost":
    case "DeploymentStepEnded":
    case "DeploymentRolledBack":
    case "DeploymentAnnotated":
    case "DeploymentHidden":
    case "DeployLocked":
    case "DeployUnlocked":
    case "ServicePinned":
    case "ServiceUnpinned":
    case "ServiceActionEnded": {
      const { service, server, serverId } = event.data
      const story = deploymentStory(event)
      return story && { serviceId, service, server, serverId, ...story }
    }
    default:
      return raw(event as Recorded)
  }
}

const deploymentStory = (event: DomainEvent): Story | undefined => {
  switch (event.type) {
    case "HealthChecked": {
      const { previous, service, status } = event.data
      if (status === previous) return undefined
      const severity = status === "unhealthy" ? "error" : status === "healthy" ? "info" : "warning"
      return { type: "health_change", severity, title: `${service} is ${status}`, description: event.data.detail }
    }
    case "DeploymentSucceeded":
      return {
        type: "deploy",
        severity: "info",
        title: `${event.data.service} deployed${at(event.data.version)}${event.data.verified ? "" : " (unverified)"}`,
        metadata: { deploymentId: event.data.deploymentId },
      }
    case "DeploymentFailed":
      return {
        type: "deploy",
        severity: "error",
        title: `deploy of ${event.data.service}${at(event.data.version)} failed`,
        description: event.data.reason,
        metadata: { deploymentId: event.data.deploymentId },
      }
    case "DeploymentLost":
      return {
        type: "deploy",
        severity: "warning",
        title: `how the deploy of ${event.data.service}${at(event.data.version)} ended is not known`,
        description: event.data.reason,
        metadata: { deploymentId: event.data.deploymentId },
      }
    case "DeployLocked":
      return {
        type: "deploy",
        severity: "info",
        title: `deploys of ${event.data.service} locked`,
        description: event.data.reason,
      }
    case "DeployUnlocked":
      return { type: "deploy", severity: "info", title: `deploys of ${event.data.service} unlocked` }
    case "ServicePinned":
      return {
        type: "deploy",
        severity: "info",
        title: `${event.data.service} pinned${at(event.data.version)}`,
        description: event.data.reason,
      }
    case "ServiceUnpinned":
      return { type: "deploy", severity: "info", title: `${event.data.service} unpinned` }
    case "ServiceActionEnded":
      return actionStory(event.data)
    case "DeploymentRolledBack":
      return {
        type: "deploy",
        severity: "warning",
        title: `${event.data.service} rolled back to ${event.data.rollbackVersion.slice(0, 12)}`,
        metadata: { deploymentId: event.data.deploymentId },
      }
    default:
      return undefined
  }
}

const did = { restart: "restarted", stop: "stopped", start: "started" } as const

const actionStory = (data: Parameters<typeof ServiceActionEnded>[0]): Story => {
  const { action, outcome, reason, service, verified } = data
  if (outcome === "done") {
    const how = verified ? ", and healthy" : ""
    return { type: "restart", severity: "info", title: `${service} ${did[action]}${how}` }
  }
  const failed = outcome === "failed"
  return {
    type: "restart",
    severity: failed ? "error" : "warning",
    title: failed ? `${action} of ${service} failed` : `how the ${action} of ${service} ended is not known`,
    description: reason,
  }
}

const otherStory = (event: DomainEvent): Story | undefined => {
  switch (event.type) {
    case "RouteAdded":
      return config(`route ${route.label(event.data)} added`, { serviceId: event.data.serviceId })
    case "RouteUpdated":
      return config(`route ${changed(route, event.data)}`)
    case "DependencyUpdated":
      return config(`dependency ${changed(dependency, event.data)}`)
    case "SecretUpdated":
      return config(`secret ${changed(secret, event.data)}`)
    case "RouteRemoved":
    case "DependencyRemoved":
    case "SecretRemoved":
      return config(`${noun(event.type)} ${event.data.name} removed`)
    case "DependencyAdded":
      return config(`dependency on ${event.data.dependsOnExternal ?? "a service"} added`, {
        serviceId: event.data.serviceId,
      })
    case "SecretAdded":
      return config(`secret ${event.data.name} registered`, {
        serviceId: event.data.serviceId,
        serverId: event.data.serverId,
      })
    case "RootEstablished":
      return security(`machine ${event.data.name} began this log's root`, `its key is ${event.data.machineId}`)
    case "InviteIssued": {
      const uses = event.data.uses === 1 ? "one machine" : `${event.data.uses} machines`
      return security(`an invite for ${uses} issued`, `as ${event.data.role}, until ${event.data.expiresAt}`)
    }
    case "InviteClosed":
      return security(`an invite ${event.data.reason === "expired" ? "ended" : "was withdrawn"}`, null)
    case "EnrolmentRequested": {
      const by = event.data.invite === null ? "waits for an approval" : "came by an invite"
      return security(`machine ${event.data.name} asked to join: it ${by}`, `its key is ${event.data.machineId}`)
    }
    case "MachineEnrolled":
      return security(`machine ${event.data.name} enrolled as ${event.data.role}`, `its key is ${event.data.machineId}`)
    case "MachineRevoked":
      return security(`machine ${event.data.name} revoked`, "nothing that its key signs from here on counts", "warning")
    case "MachineRenamed":
      return security(`machine ${event.data.from} renamed to ${event.data.to}`, null)
    case "InertAcknowledged":
      return security(`${event.data.count} inert events acknowledged`, `up to position ${event.data.until}`)
    case "MachineJoined":
      return {
        type: "security",
        severity: "info",
        title: `machine ${event.data.name} joined the log`,
        description: `its events are signed with the key ${event.data.machineId}`,
      }
    case "CommandRejected":
      return {
        type: "conflict",
        severity: event.data.outcome === "refused" ? "warning" : "info",
        title: `${what(event.data)} by ${event.data.actor} on ${event.data.machine}: ${outcomes[event.data.outcome]}`,
        description: event.data.reason,
        metadata: { commandId: event.data.commandId },
      }
    case "RejectionSettled":
      return { type: "conflict", severity: "info", title: `${event.data.what}: ${event.data.how} after it was refused` }
    case "SecretRotated":
      return { type: "security", severity: "info", title: `secret ${event.data.name} rotated` }
    default:
      return undefined
  }
}

const outcomes = { refused: "refused, others were first", moot: "nothing was left to do" }

/** What a command wanted, in the words of its first event. */
export const what = ({ events }: Pick<CommandRejected, "events">): string => {
  const [first] = events
  const title = first === undefined ? undefined : titleOf(first)
  const more = events.length > 1 ? ` (and ${events.length - 1} more)` : ""
  return `"${title ?? first?.type ?? "nothing"}"${more}`
}

/** What is told as refused may be of a shape that is none, or of one that only a later version knows. */
const titleOf = (original: CommandRejected["events"][number]): string | undefined => {
  const event = lift({ ...original, position: 0, version: 0 } as unknown as Recorded)
  const definition = definitions.get(event.type)
  return definition === undefined || Schema.is(definition.data)(event.data) ? tell(event)?.title : undefined
}

/** `api changed: port, healthEndpoint`, in the order in which the fields are declared; those of a later version come last. */
const changed = (
  { fields }: { readonly fields: ReadonlyArray<string> },
  { changes, name }: { readonly name: string; readonly changes: object },
): string => {
  const known = fields.filter((field) => Object.hasOwn(changes, field))
  const others = Object.keys(changes).filter((field) => !known.includes(field))
  return `${name} changed: ${[...known, ...others.sort()].join(", ")}`
}

const noun = (type: string): string => type.replace(/Removed$/, "").toLowerCase()

const cut = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}…` : text)

const at = (version: string | null): string => (version === null ? "" : ` at ${version.slice(0, 12)}`)
