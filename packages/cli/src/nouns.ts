/** Which words there are after `context infra`. Loads none of them. */
import type { Branch, Entry, Group } from "./branch.js"
import type { Leaf } from "./leaf.js"

/** A word after `context infra`: a leaf itself, a group of leaves, or both. */
export interface Noun extends Entry {
  readonly load: () => Promise<Leaf | Group | Branch>
}

export const nouns: ReadonlyArray<Noun> = [
  {
    name: "status",
    description: "Is everything well? Every server and service, from what the log knows",
    load: async () => (await import("./commands/status.js")).status,
  },
  {
    name: "alert",
    description: "What is wrong now, since when, and what to do next",
    load: async () => (await import("./commands/alert.js")).alert,
  },
  {
    name: "health",
    description: "Check the services at their health endpoints, now",
    load: async () => (await import("./commands/health.js")).health,
  },
  {
    name: "scan",
    description: "Find out what runs on the servers, and register what is chosen of it",
    load: async () => (await import("./commands/scan.js")).scan,
  },
  {
    name: "deploy",
    description: "Deploy services and watch them become well; attach to a deployment, cancel it, lock, pin",
    load: async () => (await import("./commands/deploy.js")).branch,
  },
  {
    name: "rollback",
    description: "Go back to the last version of a service that worked",
    load: async () => (await import("./commands/rollback.js")).rollback,
  },
  {
    name: "history",
    description: "The deployments of a service, newest first, and all that one of them printed",
    load: async () => (await import("./commands/history.js")).branch,
  },
  {
    name: "server",
    description: "The machines: add, import from ssh's configuration, look at, connect to, run commands on",
    load: async () => (await import("./commands/server.js")).verbs,
  },
  {
    name: "service",
    description: "What runs on the servers: add, look at its logs, restart, stop and start",
    load: async () => (await import("./commands/service.js")).verbs,
  },
  {
    name: "route",
    description: "Which domains and paths lead to which service, and whether they really do",
    load: async () => (await import("./commands/route.js")).verbs,
  },
  {
    name: "dep",
    description: "What services need: each other, and what others run",
    load: async () => (await import("./commands/dep.js")).verbs,
  },
  {
    name: "deps",
    description: "What a service depends on, or with --reverse what depends on it",
    load: async () => (await import("./commands/deps.js")).deps,
  },
  {
    name: "secret",
    description: "Which secrets there are and where they are kept; never their values",
    load: async () => (await import("./commands/secret.js")).verbs,
  },
  {
    name: "events",
    description: "The timeline: what happened, the last in the log first",
    load: async () => (await import("./commands/events.js")).events,
  },
  {
    name: "event",
    description: "Write on the timeline: incidents, maintenance, notes",
    load: async () => (await import("./commands/event.js")).verbs,
  },
  {
    name: "diff",
    description: "What changed between two moments, field by field, and by whom",
    load: async () => (await import("./commands/diff.js")).diff,
  },
  {
    name: "audit",
    description: "Can the log be believed? Verify, export, import and replay it",
    load: async () => (await import("./commands/audit.js")).verbs,
  },
  {
    name: "sync",
    description: "One log on many machines: share it, bring it together",
    load: async () => (await import("./commands/sync.js")).verbs,
  },
  {
    name: "machine",
    description: "Who may write to the log: the machines that are enrolled, approve one, revoke one",
    load: async () => (await import("./commands/machine.js")).verbs,
  },
  {
    name: "doctor",
    description: "Is this machine fit for it? Database, shared log, keys, SSH: what is wrong, and what to do",
    load: async () => (await import("./commands/doctor.js")).doctor,
  },
  {
    name: "rebuild",
    description: "Fold every row anew from the log, beside the live ones",
    load: async () => (await import("./commands/rebuild.js")).rebuild,
  },
  {
    name: "backup",
    description: "Copy the whole log into a file, while others write",
    load: async () => (await import("./commands/backup.js")).backup,
  },
  {
    name: "restore",
    description: "Put a backup in the place of the log",
    load: async () => (await import("./commands/restore.js")).restore,
  },
  {
    name: "serve",
    description: "Serve the HTTP API",
    load: async () => (await import("./commands/serve.js")).serve,
  },
]
