/** Servers from ssh's own configuration: which hosts it names, and what `ssh -G` would do for each. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Commands } from "../Commands.js"
import { entity, type SshConfig } from "../domain/Server.js"
import { type RegistryError, RemoteError, type StorageError } from "../Errors.js"
import * as Id from "../Id.js"
import { ReadModels } from "../ReadModels.js"
import { Remote, type RemoteCommand, type Target } from "../Remote.js"
import type { ServerRow } from "../views/servers.js"
import { askSsh, readFiles } from "./importer/scripts.js"
import { compareServers, type Defaults, type ImportFinding, type Skipped, splitJump } from "./importer/servers.js"
import { partsOf, type Resolved, readAnswer, readConfig, refuseHost } from "./importer/sshConfig.js"
import { type AnyRequest, add, decode, execute, update } from "./registry/crud.js"
import { word } from "./scanner/words.js"

export type { ImportFinding, Skipped } from "./importer/servers.js"

export interface ImportReport {
  readonly findings: ReadonlyArray<ImportFinding>
  /** Hosts that cannot be registered, with the reason. */
  readonly skipped: ReadonlyArray<Skipped>
  /** The files that were read. */
  readonly files: ReadonlyArray<string>
}

/** Which of the chosen findings are in the registry now, by host. */
export interface Imported {
  readonly applied: ReadonlyArray<string>
  readonly skipped: ReadonlyArray<Skipped>
}

export class ServerImport extends Context.Tag("@context-engine/core/ServerImport")<
  ServerImport,
  {
    /**
     * Reads `~/.ssh/config`, or the file given by its absolute path, and what it includes, and asks the ssh program of this
     * machine about every host in them. Registers nothing. What `Match exec` runs is run by ssh, as it is for every login.
     */
    readonly read: (config?: string) => Effect.Effect<ImportReport, RemoteError | StorageError>
    /** Registers or changes the servers of chosen findings as one transaction; doing it twice does nothing. */
    readonly apply: (findings: ReadonlyArray<ImportFinding>) => Effect.Effect<Imported, RegistryError>
  }
>() {
  static readonly layer = Layer.effect(
    ServerImport,
    Effect.gen(function* () {
      const remote = yield* Remote
      const models = yield* ReadModels
      const commands = yield* Commands
      return ServerImport.of({
        read: Effect.fn("ServerImport.read")(function* (config) {
          const { files, hosts, user } = yield* readAll(remote, config)
          const refused = hosts.flatMap((host) => {
            const reason = refuseHost(host)
            return reason === undefined ? [] : [{ host: word(host) ?? "?", reason }]
          })
          const { answers, complaints } = yield* ask(
            remote,
            config,
            hosts.filter((host) => refuseHost(host) === undefined),
          )
          const through = answers.flatMap(({ jump }) =>
            jump === null || jump.includes(",") ? [] : [splitJump(jump).host],
          )
          const beyond = yield* ask(
            remote,
            config,
            [...new Set(through)].filter((host) => refuseHost(host) === undefined),
          )
          const jumps = new Map(beyond.answers.map((one) => [one.host, one]))
          const defaults = yield* defaultsOf(remote, user)
          const compared = compareServers(answers, jumps, defaults, yield* models.servers.list())
          return { findings: compared.findings, skipped: [...refused, ...complaints, ...compared.skipped], files }
        }),
        apply: Effect.fn("ServerImport.apply")(function* (findings) {
          let result: Imported = { applied: [], skipped: [] }
          const plan = Effect.gen(function* () {
            const planned = yield* requestsFor(findings, yield* models.servers.list())
            result = planned.result
            return planned.requests
          })
          yield* execute(commands, { entity: "server", name: findings[0]?.name ?? "" }, plan)
          return result
        }),
      })
    }),
  )
}

const here: Target = { _tag: "Local", name: "this machine" }

/** Include files may include others, up to this deep in ssh, too. */
const deepest = 16
const mostFiles = 500
const mostHosts = 2_000

const run = (remote: Remote["Type"], script: string, args: ReadonlyArray<string>, more: Partial<RemoteCommand> = {}) =>
  Effect.flatMap(remote.run(here, { script, args, timeout: 30_000, maxOutput: 16 * 2 ** 20, ...more }), (result) =>
    result.exitCode === 127
      ? Effect.fail(
          new RemoteError({
            reason: "refused",
            host: here.name,
            message: "there is no ssh program on this machine: install an OpenSSH client",
          }),
        )
      : Effect.succeed(result.stdout),
  )

/** The hosts that the configuration names, each once, in its order. */
const readAll = (remote: Remote["Type"], config: string | undefined) =>
  Effect.gen(function* () {
    const files = new Set<string>()
    const hosts = new Set<string>()
    let user = ""
    let patterns: ReadonlyArray<string> = [config ?? "~/.ssh/config"]
    for (let depth = 0; depth <= deepest && patterns.length > 0; depth++) {
      const mark = `import-${yield* Id.make}`
      const output = yield* run(remote, readFiles, [mark, ...patterns])
      user = [...partsOf(output, mark, "user").keys()][0] ?? user
      const next = new Set<string>()
      for (const [path, text] of partsOf(output, mark, "file")) {
        if (files.has(path) || files.size >= mostFiles) continue
        files.add(path)
        const found = readConfig(text)
        for (const host of found.hosts) if (hosts.size < mostHosts) hosts.add(host)
        for (const include of found.includes) next.add(include)
      }
      patterns = [...next].slice(0, mostFiles)
    }
    return { files: [...files], hosts: [...hosts], user }
  })

/** So many hosts at a time, that a slow one (names may have to be looked up) does not use up the time of all. */
const batch = 25

const ask = (remote: Remote["Type"], config: string | undefined, hosts: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const answers: Array<Resolved> = []
    const complaints: Array<Skipped> = []
    for (let at = 0; at < hosts.length; at += batch) {
      const some = hosts.slice(at, at + batch)
      const mark = `import-${yield* Id.make}`
      const parts = partsOf(yield* run(remote, askSsh, [mark, config ?? "", ...some]), mark, "host")
      for (const host of some) {
        const answer = readAnswer(host, parts.get(host) ?? "")
        if (typeof answer === "string") complaints.push({ host, reason: answer })
        else answers.push(answer)
      }
    }
    return { answers, complaints }
  })

/** What ssh does where nothing is configured: keys that it tries anyway are nobody's choice. */
const defaultsOf = (remote: Remote["Type"], user: string): Effect.Effect<Defaults, RemoteError> =>
  Effect.map(ask(remote, "/dev/null", ["localhost"]), ({ answers }) => ({
    user,
    identityFiles: new Set(answers[0]?.identityFiles),
  }))

const requestsFor = (findings: ReadonlyArray<ImportFinding>, servers: ReadonlyArray<ServerRow>) =>
  Effect.gen(function* () {
    const skipped: Array<Skipped> = []
    const able = new Map<string, { readonly finding: ImportFinding; readonly request: AnyRequest }>()
    for (const finding of findings) {
      if (able.has(finding.name)) continue
      const row = servers.find((one) => one.name === finding.name)
      const asked = yield* Effect.either(row === undefined ? added(finding) : changed(finding, row))
      if (asked._tag === "Left") skipped.push({ host: finding.host, reason: asked.left.message })
      else able.set(finding.name, { finding, request: asked.right })
    }
    const known = new Set(servers.map(({ name }) => name))
    // One that is left out may have been the way to others, and those to others again.
    for (let lost = unreachable(able, known); lost.length > 0; lost = unreachable(able, known)) {
      for (const { candidate, host, name } of lost) {
        able.delete(name)
        const reason = `its jump host ${candidate.sshConfig.jumpHost} is not registered: choose it, too`
        skipped.push({ host, reason })
      }
    }
    const taken = [...able.values()]
    const result: Imported = { applied: taken.map(({ finding }) => finding.host), skipped }
    return { requests: taken.map(({ request }) => request), result }
  })

/** Those whose jump host is neither registered nor among them. */
const unreachable = (
  able: ReadonlyMap<string, { readonly finding: ImportFinding }>,
  known: ReadonlySet<string>,
): ReadonlyArray<ImportFinding> =>
  [...able.values()].flatMap(({ finding }) => {
    const jump = finding.candidate.sshConfig.jumpHost
    const found = jump === null || /[@:.]/.test(jump) || known.has(jump) || able.has(jump)
    return found ? [] : [finding]
  })

const added = ({ candidate }: ImportFinding) =>
  Effect.gen(function* () {
    const data = yield* decode(entity.input, candidate)
    return add(entity.aggregate, yield* Id.make, data)
  })

/** Only the fields that were shown as changed; whatever else the row has stays. */
const changed = ({ candidate, fields }: ImportFinding, row: ServerRow) => {
  const has = (name: string) => fields.some(({ field }) => field === name)
  const own: SshConfig = row.sshConfig ?? { user: null, port: 22, keyPath: null, jumpHost: null }
  const ssh = Object.fromEntries(Object.entries(candidate.sshConfig).filter(([field]) => has(field)))
  const patch = {
    ...(has("hostname") ? { hostname: candidate.hostname } : {}),
    ...(has("ip") ? { ipAddresses: [...new Set([...candidate.ipAddresses, ...row.ipAddresses])] } : {}),
    ...(Object.keys(ssh).length > 0 ? { sshConfig: { ...own, ...ssh } } : {}),
  }
  return Effect.map(decode(entity.patch, patch), (checked) => update(entity.aggregate, row.id, checked))
}
