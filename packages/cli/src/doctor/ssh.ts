/** The check of what SSH needs: the program, the agent, the key files, and the servers' own keys. */
import { execFile } from "node:child_process"
import { statSync } from "node:fs"
import type { RemoteError } from "@context-engine/core/Errors"
import { type Identity, isHere } from "@context-engine/core/Here"
import { nobody } from "@context-engine/core/Origin"
import { fromHome } from "@context-engine/core/Remote/Home"
import { word } from "@context-engine/core/Shell"
import { trustAnewFrom } from "@context-engine/core/services/changedKey"
import { type Check, type Finding, ok, trouble, warning } from "@context-engine/core/services/Diagnosis"
import { targetOf } from "@context-engine/core/services/targets"
import type { ServerRow } from "@context-engine/core/views/servers"
import type { Known } from "@context-engine/store/doctor/servers"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { count } from "../render/units.js"

/** Looks at what reaching these servers takes. Reaches out to none of them. */
export const ssh = (
  servers: Effect.Effect<ReadonlyArray<ServerRow> | undefined>,
  here: Effect.Effect<Identity>,
  machines: Effect.Effect<Known | undefined>,
): Check => ({
  name: "ssh",
  look: Effect.gen(function* () {
    const known = yield* servers
    const all = known ?? []
    // Nobody is asked which machine this is where it makes no difference.
    const place = all.some(({ local }) => local) ? yield* here : undefined
    const away = all.filter((server) => place === undefined || !isHere(server, place))
    const others = away.some(({ local }) => local) ? yield* machines : undefined
    const seen = { all, here: place ?? { key: undefined, machine: nobody }, names: others?.names }
    const whyNot = (server: ServerRow) => {
      const error = Option.getOrUndefined(Either.getLeft(targetOf(server, seen)))
      return error?.reason === "elsewhere" ? [error] : []
    }
    const lost = away.flatMap(whyNot)
    const reached = away.filter((server) => whyNot(server).length === 0)
    const withoutKey = reached.filter(({ sshConfig }) => !sshConfig?.keyPath)
    return [
      yield* program,
      yield* agent(withoutKey, known !== undefined),
      ...reached.flatMap(keyFile),
      ...pins(reached, all),
      ...once(lost).map((error) => outOfReach(error, isOfMember(all, error, others))),
    ]
  }),
})

/** Each server once, though others may be reached through it. */
const once = (errors: ReadonlyArray<RemoteError>): ReadonlyArray<RemoteError> => [
  ...new Map(errors.map((error) => [error.host, error])).values(),
]

/** Whether a server is local to a machine that is enrolled. */
const isOfMember = (all: ReadonlyArray<ServerRow>, { host }: RemoteError, others: Known | undefined): boolean =>
  others?.enrolled.has(all.find(({ name }) => name === host)?.localKey ?? "") === true

/** One that is local to another machine: nothing is wrong with it where that belongs to the log, only this one can do nothing there. */
const outOfReach = ({ host, message }: RemoteError, isOfMember: boolean): Finding => {
  const found = message.replace(/: give it .*$/, "")
  return isOfMember
    ? ok("servers", found)
    : warning("servers", found, `context infra server update ${word(host)} --ip <address>`)
}

interface Ran {
  readonly code: number | string
  readonly output: string
}

const run = (command: string, ...args: ReadonlyArray<string>): Effect.Effect<Ran> =>
  Effect.async((resume, signal) => {
    execFile(command, args, { timeout: 5_000, signal }, (error, stdout, stderr) =>
      resume(Effect.succeed({ code: error === null ? 0 : (error.code ?? -1), output: `${stdout}${stderr}`.trim() })),
    )
  })

const program: Effect.Effect<Finding> = Effect.map(run("ssh", "-V"), ({ code, output }) =>
  code === 0
    ? ok("ssh", output.split(",")[0] as string)
    : trouble("ssh", "there is no ssh program, which server ssh and imports need", "apt install openssh-client"),
)

/** What `ssh-add -l` says by its status: 0 keys, 1 no keys, 2 no agent. */
const agent = (withoutKey: ReadonlyArray<ServerRow>, isKnown: boolean): Effect.Effect<Finding> =>
  Effect.map(process.env.SSH_AUTH_SOCK ? run("ssh-add", "-l") : Effect.succeed(undefined), (ran) => {
    if (ran?.code === 0) return ok("ssh agent", `${count(ran.output.split("\n").length, "key")}`)
    const found =
      ran === undefined
        ? "none (SSH_AUTH_SOCK is not set)"
        : ran.code === 1
          ? "it has no keys"
          : "it cannot be reached, though SSH_AUTH_SOCK names one"
    if (ran !== undefined && ran.code !== 1) return warning("ssh agent", found, 'eval "$(ssh-agent)" && ssh-add')
    if (!isKnown) return ok("ssh agent", `${found}; which servers need one is not known here`)
    if (withoutKey.length === 0) return ok("ssh agent", `${found}; no server needs one`)
    const fix = ran === undefined ? 'eval "$(ssh-agent)" && ssh-add' : "ssh-add"
    return warning(
      "ssh agent",
      `${found}, and ${names(withoutKey)} ${withoutKey.length === 1 ? "has no key file of its" : "have no key file of their"} own`,
      fix,
    )
  })

const keyFile = ({ name, sshConfig }: ServerRow): ReadonlyArray<Finding> => {
  const named = sshConfig?.keyPath
  if (!named) return []
  const path = fromHome(named)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) {
    const fix = `context infra server update ${word(name)} --ssh "key=<path>"`
    return [trouble("ssh key", `${named}, which ${name} is reached with, does not exist`, fix)]
  }
  if ((found.mode & 0o077) === 0) return [ok("ssh key", `${named}, for ${name}`)]
  return [
    trouble("ssh key", `${named}, which ${name} is reached with, can be read by others`, `chmod 600 ${word(path)}`),
  ]
}

const pins = (reached: ReadonlyArray<ServerRow>, all: ReadonlyArray<ServerRow>): ReadonlyArray<Finding> => {
  if (reached.length === 0) return []
  const unknown = reached.filter(({ hostKeys }) => hostKeys.length === 0)
  const changed = reached.flatMap((server) => {
    const fix = trustAnewFrom(server, all)
    return fix === undefined ? [] : [trouble("host keys", `${server.name}: ${changedKey}`, fix)]
  })
  if (unknown.length + changed.length === 0)
    return [ok("host keys", `of ${count(reached.length, "server")}, all pinned`)]
  if (unknown.length === 0) return changed
  const found = `not pinned yet for ${names(unknown)}: the first connection asks`
  return [...changed, warning("host keys", found, `context infra server status ${word(unknown[0]?.name ?? "")}`)]
}

const changedKey =
  "when it was last looked at, another key was shown than is pinned; only if that host was set up anew, and says the same itself"

const names = (servers: ReadonlyArray<ServerRow>): string => {
  const first = servers.slice(0, 5).map(({ name }) => name)
  const more = servers.length - first.length
  return more > 0 ? `${first.join(", ")} and ${more} more` : first.join(", ")
}
