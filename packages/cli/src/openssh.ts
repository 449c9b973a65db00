/**
 * Hands the terminal to the system's OpenSSH.
 *
 * It gets a configuration of its own: every hop is an entry, and the pinned keys are all the hosts it knows, so it trusts
 * what the log trusts and nothing else. For each jump host `ssh` starts itself again with the same file.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { constants as access, accessSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { constants, tmpdir } from "node:os"
import { join } from "node:path"
import type { HostKey, SshEndpoint, Target } from "@context-engine/core/Remote"
import { fromHome } from "@context-engine/core/Remote/Home"
import * as Effect from "effect/Effect"
import { ExitStatus, Refused } from "./usage.js"

/** What a command printed, where its output was asked for as JSON. */
export interface Captured {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * Opens a shell there, or runs a command as `ssh` would: its words joined by spaces, read by the shell there. `capture`:
 * the output is the answer; else it goes to the terminal, and a status other than 0 becomes ours.
 */
export const connect = (
  target: Target,
  command: ReadonlyArray<string>,
  capture: boolean,
): Effect.Effect<Captured, Refused | ExitStatus> =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "context-ssh-"))),
    (directory) =>
      Effect.gen(function* () {
        const [program, args] =
          target._tag === "Local" ? localCommand(command) : yield* sshCommand(target, directory, command)
        const ended = yield* run(program, args, capture)
        if (target._tag === "Ssh" && ended.exitCode === 255) {
          const said = ended.stderr.trim()
          return yield* new Refused({
            message: `ssh could not connect to ${target.name}, or lost it${said === "" ? "" : `: ${said}`}`,
            next: `find out why: context infra server status ${target.name}`,
          })
        }
        if (!capture && ended.exitCode !== 0) return yield* new ExitStatus({ status: ended.exitCode })
        return ended
      }),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true })),
  )

/** Refuses a key file that cannot be used, before anything is sent anywhere. */
export const checkKey = (keyPath: string | null | undefined, server: string): Effect.Effect<void, Refused> => {
  if (keyPath === null || keyPath === undefined) return Effect.void
  const path = fromHome(keyPath)
  const problem = unreadable(path)
  if (problem === undefined) return Effect.void
  return new Refused({
    message: `the key file ${keyPath} cannot be read: ${problem}`,
    next: `name another: context infra server update ${server} --ssh "key=<path>"`,
  })
}

const unreadable = (path: string): string | undefined => {
  try {
    if (!statSync(path).isFile()) return "it is not a file"
    accessSync(path, access.R_OK)
    return undefined
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "permission denied" : String(code)
  }
}

const localCommand = (command: ReadonlyArray<string>): [string, ReadonlyArray<string>] =>
  command.length === 0 ? [process.env.SHELL || "/bin/sh", ["-i"]] : ["/bin/sh", ["-c", command.join(" ")]]

type SshTarget = Extract<Target, { readonly _tag: "Ssh" }>

const sshCommand = (target: SshTarget, directory: string, command: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const hops = hopsOf(target.endpoint)
    for (const hop of hops) yield* checkHop(target, hop)
    const config = join(directory, "config")
    const knownHosts = join(directory, "known_hosts")
    writeFileSync(knownHosts, target.hostKeys.map((key) => knownHost(key, hops)).join(""), { mode: 0o600 })
    writeFileSync(config, configuration(hops, knownHosts), { mode: 0o600 })
    const words = command.length === 0 ? [] : ["--", ...command]
    return ["ssh", ["-F", config, alias(0), ...words]] as [string, ReadonlyArray<string>]
  })

/** The target itself, then the hosts before it, the nearest to it first. */
const hopsOf = (endpoint: SshEndpoint): ReadonlyArray<SshEndpoint> =>
  endpoint.jump === undefined ? [endpoint] : [endpoint, ...hopsOf(endpoint.jump)]

const alias = (index: number): string => `hop${index}`

/** `ssh` hands host and user on to a shell when there is a jump host, so they must not be able to mean anything there. */
const checkHop = (target: SshTarget, hop: SshEndpoint): Effect.Effect<void, Refused> => {
  const plain =
    /^[A-Za-z0-9._:%][A-Za-z0-9._:%-]*$/.test(hop.host) && /^[A-Za-z0-9._@\\][A-Za-z0-9._@\\+-]*$/.test(hop.user ?? "x")
  if (plain) return checkKey(hop.keyPath, target.name)
  return new Refused({ message: `${target.name}: ssh cannot be given the address ${hop.user ?? ""}@${hop.host}` })
}

/** A line of `known_hosts` (sshd(8)); nothing for a key of some other address. */
const knownHost = (key: HostKey, hops: ReadonlyArray<SshEndpoint>): string => {
  const hop = hops.find(({ host, port }) => [`${host}:${port}`, `[${host}]:${port}`].includes(key.address))
  if (hop === undefined) return ""
  return `${hop.port === 22 ? hop.host : `[${hop.host}]:${hop.port}`} ${key.algorithm} ${key.key}\n`
}

/** ssh_config(5). */
const configuration = (hops: ReadonlyArray<SshEndpoint>, knownHosts: string): string => {
  const entries = hops.flatMap((hop, index) => [
    `Host ${alias(index)}`,
    `  HostName ${hop.host.replaceAll("%", "%%")}`,
    `  Port ${hop.port}`,
    ...(hop.user === undefined ? [] : [`  User ${hop.user}`]),
    ...(hop.keyPath === undefined ? [] : [`  IdentityFile ${quoted(hop.keyPath)}`, "  IdentitiesOnly yes"]),
    `  ProxyJump ${index + 1 < hops.length ? alias(index + 1) : "none"}`,
  ])
  const all = ["Host *", `  UserKnownHostsFile ${quoted(knownHosts)}`, ...always.map((line) => `  ${line}`)]
  return `${[...entries, ...all].join("\n")}\n`
}

const always = [
  "GlobalKnownHostsFile /dev/null",
  "StrictHostKeyChecking yes",
  "UpdateHostKeys no",
  "CheckHostIP no",
  "ConnectTimeout 15",
  "ServerAliveInterval 15",
  "ControlPath none",
]

const quoted = (value: string): string => `"${value.replaceAll("%", "%%").replace(/["\\]/g, "\\$&")}"`

const run = (program: string, args: ReadonlyArray<string>, capture: boolean): Effect.Effect<Captured, Refused> =>
  Effect.async((resume) => {
    const child: ChildProcess = spawn(program, args, { stdio: capture ? ["inherit", "pipe", "pipe"] : "inherit" })
    const output = { stdout: "", stderr: "" }
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream]?.setEncoding("utf8").on("data", (text: string) => {
        output[stream] += text
      })
    }
    child.once("error", (error: NodeJS.ErrnoException) => resume(notStarted(program, error)))
    child.once("close", (code, signal) => {
      const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
      resume(Effect.succeed({ exitCode, ...output }))
    })
    // Interrupted: it must be gone before its files are.
    return Effect.async<void>((done) => {
      if (child.exitCode !== null || child.signalCode !== null) return done(Effect.void)
      child.once("close", () => done(Effect.void))
      child.kill("SIGTERM")
    })
  })

const notStarted = (program: string, error: NodeJS.ErrnoException): Refused =>
  error.code === "ENOENT" && program === "ssh"
    ? new Refused({ message: "the program ssh is not installed", next: "install the package openssh-client" })
    : new Refused({ message: `${program} could not be started: ${error.message}` })
