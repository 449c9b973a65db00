/** The command tree: which words there are, and which of them a command line names. Loads no other. */
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
    description: "The timeline: what happened, newest first",
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

export type Group = ReadonlyArray<Leaf>

export const isGroup = (found: Leaf | Group | Branch): found is Group => Array.isArray(found)

/** A leaf with verbs below it: `deploy <service>` and `deploy attach <service>`. What is no verb is the leaf's argument. */
export interface Branch {
  readonly own: Leaf
  readonly verbs: Group
}

export const isBranch = (found: Leaf | Group | Branch): found is Branch => "own" in found

/** Where a line leads: to a leaf (of which there may be verbs) and what is left for it, to a group, or nowhere. */
export type Place =
  | { readonly name: string; readonly leaf: Leaf; readonly verbs?: Group; readonly argv: ReadonlyArray<string> }
  | { readonly name: string; readonly description: string; readonly commands: ReadonlyArray<Entry> }
  | { readonly name: string; readonly unknown: string; readonly known: ReadonlyArray<string> }

/** What a list of commands shows of one. */
export interface Entry {
  readonly name: string
  readonly description: string
}

const root: Entry = {
  name: "context",
  description: "Knows your infrastructure, does the daily work on it, and keeps every change",
}

const infra: Entry = {
  name: "context infra",
  description: "Servers, services, routes, dependencies, secrets and deployments",
}

/** Follows the first words of a line down the tree. Options that stand between them belong to the leaf. */
export const locate = async (argv: ReadonlyArray<string>): Promise<Place> => {
  const first = takeWord(argv)
  // All there is lies under `infra`: no need to ask twice.
  if (first.word === undefined) return { ...root, commands: nouns.map(under("infra")) }
  // Who is in trouble should not have to know where it lies.
  const isDoctor = first.word === "doctor"
  if (first.word !== "infra" && !isDoctor) return { name: root.name, unknown: first.word, known: ["infra", "doctor"] }
  const second = isDoctor ? first : takeWord(first.rest)
  if (second.word === undefined) return { ...infra, commands: nouns }
  const noun = nouns.find(({ name }) => name === second.word)
  if (noun === undefined) return { name: infra.name, unknown: second.word, known: nouns.map(nameOf) }
  const name = `${infra.name} ${noun.name}`
  const found = await noun.load()
  if (isBranch(found)) return locateIn(name, found, second.rest)
  if (!isGroup(found)) return { name, leaf: found, argv: second.rest }
  const third = takeWord(second.rest)
  if (third.word === undefined) return { name, description: noun.description, commands: found }
  const leaf = found.find((verb) => verb.name === third.word)
  if (leaf === undefined) return { name, unknown: third.word, known: found.map(nameOf) }
  return { name: `${name} ${leaf.name}`, leaf, argv: third.rest }
}

/** A verb has to come first, but for options that every leaf takes: `deploy --version lock` asks for a version. */
const locateIn = (name: string, { own, verbs }: Branch, argv: ReadonlyArray<string>): Place => {
  for (let i = 0; i < argv.length; i++) {
    const token = argv[i] as string
    const leaf = verbs.find((verb) => verb.name === token)
    if (leaf !== undefined) {
      return { name: `${name} ${leaf.name}`, leaf, argv: [...argv.slice(0, i), ...argv.slice(i + 1)] }
    }
    if (token === "--db" || token === "--at") i++
    else if (!/^--(json$|db=|at=)/.test(token)) break
  }
  return { name, leaf: own, verbs, argv }
}

const nameOf = ({ name }: Entry): string => name

const under =
  (parent: string) =>
  ({ description, name }: Entry): Entry => ({ name: `${parent} ${name}`, description })

/** The first word, and the line without it. The values of the options that every leaf takes are no words. */
const takeWord = (argv: ReadonlyArray<string>): { readonly word?: string; readonly rest: ReadonlyArray<string> } => {
  for (let i = 0; i < argv.length && argv[i] !== "--"; i++) {
    const token = argv[i] as string
    if (!token.startsWith("-")) return { word: token, rest: [...argv.slice(0, i), ...argv.slice(i + 1)] }
    if (token === "--db" || token === "--at") i++
  }
  return { rest: argv }
}
