/** Servers: the machines. What is configured about them, and what was seen of them. */
import * as Schema from "effect/Schema"
import * as Event from "../Event.js"
import * as Entity from "./Entity.js"
import { defaulted, Instant, IpAddress, Line, list, Name, optional, Port, Text } from "./fields.js"

export const ServerRole = Schema.Literal("production", "staging", "development", "homelab")
export type ServerRole = typeof ServerRole.Type

export const ServerStatus = Schema.Literal("online", "offline", "degraded", "unknown")
export type ServerStatus = typeof ServerStatus.Type

/** How to log in. `jumpHost` names a registered server or is `user@host:port`; `null` fields are OpenSSH's defaults. */
export const SshConfig = Schema.Struct({
  user: Schema.NullOr(Line),
  port: Port,
  keyPath: Schema.NullOr(Line),
  jumpHost: Schema.NullOr(Line),
})
export type SshConfig = typeof SshConfig.Type

/** What the machine has: processors, and sizes as people write them (`32GB`). */
export const Resources = Schema.Struct({
  cpu: Schema.NullOr(Schema.Number),
  ram: Schema.NullOr(Line),
  disk: Schema.NullOr(Line),
})
export type Resources = typeof Resources.Type

export const entity = Entity.make({
  entity: "Server",
  stream: "server",
  fields: {
    name: Name,
    hostname: optional(Line),
    ipAddresses: list(IpAddress),
    role: optional(ServerRole),
    sshConfig: optional(SshConfig),
    /** This very machine: reached without SSH. */
    local: defaulted(Schema.Boolean, false),
    os: optional(Line),
    resources: optional(Resources),
    tags: list(Line),
    notes: optional(Text),
  },
  label: (server) => server.name,
  tellsWho: ["local"],
})

/** The configured part of a server. */
export type Server = Schema.Schema.Type<typeof entity.input>
export type ServerInput = Schema.Schema.Encoded<typeof entity.input>

/** A look at the machine: whether it could be reached, and what it is. `previous` is the status before. */
export const ServerChecked = Event.define(
  "ServerChecked",
  1,
  Schema.Struct({
    server: Schema.String,
    status: ServerStatus,
    previous: ServerStatus,
    reason: Schema.NullOr(Schema.String),
    os: Schema.NullOr(Schema.String),
    resources: Schema.NullOr(Resources),
    at: Instant,
  }),
)

/** A host key that a person accepted. From now on the host must show it. */
export const HostKeyPinned = Event.define(
  "HostKeyPinned",
  1,
  Schema.Struct({
    server: Schema.String,
    address: Schema.String,
    algorithm: Schema.String,
    key: Schema.String,
    fingerprint: Schema.String,
  }),
)

/** A pinned host key that a person took back, so that the next one can be accepted. */
export const HostKeyForgotten = Event.define(
  "HostKeyForgotten",
  1,
  Schema.Struct({ server: Schema.String, address: Schema.String }),
)

/** A person ran a command there. What looks like a secret is not in `argv`; what the command printed is not kept. */
export const CommandRun = Event.define(
  "CommandRun",
  1,
  Schema.Struct({
    server: Schema.String,
    argv: Schema.Array(Schema.String),
    /** `null` where nobody saw it end, for the reason given. */
    exitCode: Schema.NullOr(Schema.Number),
    reason: Schema.NullOr(Schema.String),
    /** Seconds. */
    duration: Schema.Number,
    at: Instant,
  }),
)

export const definitions = [...entity.definitions, ServerChecked, HostKeyPinned, HostKeyForgotten, CommandRun]

export type ServerEvent =
  | Entity.EntityEvent<"Server", Server>
  | Event.EventOf<typeof ServerChecked>
  | Event.EventOf<typeof HostKeyPinned>
  | Event.EventOf<typeof HostKeyForgotten>
  | Event.EventOf<typeof CommandRun>
