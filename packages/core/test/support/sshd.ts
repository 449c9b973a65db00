/** Starts real OpenSSH servers for tests: own port, own host keys, own client key, own log. Root is not needed. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { createServer } from "node:net"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import type { HostKey, SshEndpoint, Target } from "../../src/Remote.js"
import { requireTools, toolPath } from "./tools.js"

/** `describe` for suites that start an sshd. */
export const describeSshd = requireTools({
  sshd: "openssh-server",
  "ssh-keygen": "openssh-client",
  "ssh-agent": "openssh-client",
  pgrep: "procps",
})

export interface SshdOptions {
  /** Default true. */
  readonly allowTcpForwarding?: boolean
  /** Default false. */
  readonly allowAgentForwarding?: boolean
  /** The types of its host keys. Default: one ed25519 key. */
  readonly hostKeyTypes?: ReadonlyArray<HostKeyType>
  /** Further lines of its configuration. They come first, and sshd takes the first value it reads. */
  readonly extra?: ReadonlyArray<string>
  /** Variables that its sessions have. Of several `SetEnv` lines sshd reads only the first. */
  readonly env?: Readonly<Record<string, string>>
  /** Lets this key in; by default a new one is made. Servers of one test can share it: `clientKey: other.keyPath`. */
  readonly clientKey?: string
}

export type HostKeyType = "ed25519" | "ecdsa" | "rsa"

export interface Sshd {
  readonly host: string
  readonly port: number
  /** Who is let in: the user that runs the test. */
  readonly user: string
  /** The private key that is let in. */
  readonly keyPath: string
  /** The first of `hostKeys`. */
  readonly hostKey: HostKey
  /** Its host keys as they are now. */
  readonly hostKeys: ReadonlyArray<HostKey>
  /** The home directory that sessions have: one of its own, with the ledger of deployments in it. */
  readonly home: string
  /** How to log in. */
  readonly endpoint: SshEndpoint
  /** A target with its keys pinned; through another server, if one is given. */
  readonly target: (name?: string, jump?: Sshd) => Extract<Target, { _tag: "Ssh" }>
  /** What it has logged so far: connections, each request to log in, each channel opened. */
  readonly log: () => string
  /** Empties the log. */
  readonly clearLog: () => void
  /** How many TCP connections it has accepted since the log began. */
  readonly connections: () => number
  /** Returns when the log matches, and fails if it does not within a minute. */
  readonly logged: (pattern: RegExp) => Promise<void>
  /** Kills the processes of all connections, as if the network or the machine went away; it goes on listening. */
  readonly dropConnections: () => void
  /** Ends it and its connections. */
  readonly stop: () => Promise<void>
  /** Stops it if it runs, and starts it again on the same port, with new host keys if asked. */
  readonly restart: (options?: { readonly newHostKeys?: boolean }) => Promise<void>
  /** Stops it and removes its files. */
  readonly dispose: () => Promise<void>
}

/** Starts a server on a free loopback port; returns when it listens. */
export const startSshd = async (options: SshdOptions = {}): Promise<Sshd> => {
  const directory = mkdtempSync(join(tmpdir(), "sshd-"))
  chmodSync(directory, 0o755)
  const types = options.hostKeyTypes ?? ["ed25519"]
  mkdirSync(join(directory, "home"))
  const keyPath = options.clientKey ?? makeKey(join(directory, "client"), "ed25519")
  copyFileSync(`${keyPath}.pub`, join(directory, "authorized_keys"))
  const host = "127.0.0.1"
  const port = await freePort()
  const address = `${host}:${port}`
  let hostKeys = makeHostKeys(directory, types, address)
  let daemon = await startDaemon(directory, port, types, options)
  const log = () => readFileSync(join(directory, "log"), "utf8")
  const dropConnections = () => {
    for (const pid of childrenOf(daemon)) kill(pid)
  }
  const stop = () => {
    dropConnections()
    return endProcess(daemon)
  }
  const { username: user } = userInfo()
  const endpoint: SshEndpoint = { host, port, user, keyPath }
  return {
    host,
    port,
    user,
    keyPath,
    home: join(directory, "home"),
    endpoint,
    get hostKey() {
      return first(hostKeys)
    },
    get hostKeys() {
      return hostKeys
    },
    target: (name = "server", jump) => ({
      _tag: "Ssh",
      name,
      endpoint: jump === undefined ? endpoint : { ...endpoint, jump: jump.endpoint },
      hostKeys: [...hostKeys, ...(jump?.hostKeys ?? [])],
    }),
    log,
    clearLog: () => writeFileSync(join(directory, "log"), ""),
    connections: () => log().match(/Connection from /g)?.length ?? 0,
    logged: (pattern) =>
      until(
        () => pattern.test(log()),
        () => `sshd did not log ${pattern}; it logged:\n${log()}`,
      ),
    dropConnections,
    stop,
    restart: async ({ newHostKeys = false } = {}) => {
      await stop()
      if (newHostKeys) hostKeys = makeHostKeys(directory, types, address)
      daemon = await startDaemon(directory, port, types, options)
    },
    dispose: async () => {
      await stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Makes a key pair without a passphrase, unless one is given, and returns the private key's path. */
export const makeKey = (path: string, type: HostKeyType, passphrase = ""): string => {
  rmSync(path, { force: true })
  const size = type === "rsa" ? ["-b", "2048"] : []
  execFileSync(toolPath("ssh-keygen"), ["-q", "-t", type, ...size, "-N", passphrase, "-C", "test", "-f", path])
  return path
}

/** A loopback port that nobody uses at the moment. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })

/** Starts an SSH agent that holds a key; `stop` ends it. */
export const startAgent = async (
  keyPath: string,
): Promise<{ readonly socket: string; readonly stop: () => Promise<void> }> => {
  const directory = mkdtempSync(join(tmpdir(), "agent-"))
  const socket = join(directory, "socket")
  const agent = spawn(toolPath("ssh-agent"), ["-D", "-a", socket], { stdio: "ignore" })
  const env = { ...process.env, SSH_AUTH_SOCK: socket }
  // Its socket has a name before it takes connections.
  const add = () => spawnSync(toolPath("ssh-add"), ["-q", keyPath], { env, encoding: "utf8" })
  await until(
    () => add().status === 0,
    () => `ssh-agent takes no key: ${add().stderr}`,
  )
  return {
    socket,
    stop: async () => {
      await endProcess(agent)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Waits until something holds, looking often; fails with `why` after a minute. */
export const until = async (holds: () => boolean, why: () => string): Promise<void> => {
  const deadline = Date.now() + 60_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(why())
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const makeHostKeys = (directory: string, types: ReadonlyArray<HostKeyType>, address: string): ReadonlyArray<HostKey> =>
  types.map((type) => {
    const path = makeKey(join(directory, `host_${type}`), type)
    const [algorithm = "", key = ""] = readFileSync(`${path}.pub`, "utf8").split(" ")
    const digest = createHash("sha256").update(Buffer.from(key, "base64")).digest("base64")
    return { address, algorithm, key, fingerprint: `SHA256:${digest.replace(/=+$/, "")}` }
  })

const startDaemon = async (
  directory: string,
  port: number,
  types: ReadonlyArray<HostKeyType>,
  options: SshdOptions,
): Promise<ChildProcess> => {
  const yesNo = (value: boolean) => (value ? "yes" : "no")
  const config = [
    ...(options.extra ?? []),
    `SetEnv ${Object.entries({ HOME: join(directory, "home"), ...options.env })
      .map(([name, value]) => `${name}=${value}`)
      .join(" ")}`,
    "ListenAddress 127.0.0.1",
    `Port ${port}`,
    ...types.map((type) => `HostKey ${join(directory, `host_${type}`)}`),
    `AuthorizedKeysFile ${join(directory, "authorized_keys")}`,
    `AllowTcpForwarding ${yesNo(options.allowTcpForwarding ?? true)}`,
    `AllowAgentForwarding ${yesNo(options.allowAgentForwarding ?? false)}`,
    "UsePAM no",
    "StrictModes no",
    "PubkeyAuthentication yes",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin yes",
    "PidFile none",
    "PrintMotd no",
    "UseDNS no",
    "MaxStartups 100",
    // DEBUG1 as a whole would put sshd's own words into the commands' stderr.
    "LogLevel VERBOSE",
    "LogVerbose auth2.c:*,serverloop.c:*",
  ]
  writeFileSync(join(directory, "sshd_config"), `${config.join("\n")}\n`)
  // As root, sshd insists on this directory; packages make it at boot only.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 })
  const logFile = join(directory, "log")
  // Appended to by sshd itself, so that emptying it in between does no harm.
  writeFileSync(logFile, "")
  const stderr = openSync(logFile, "a")
  const args = ["-D", "-e", "-f", join(directory, "sshd_config")]
  const daemon = spawn(toolPath("sshd"), args, { stdio: ["ignore", "ignore", stderr] })
  closeSync(stderr)
  const log = () => readFileSync(logFile, "utf8")
  await until(
    () => log().includes(`Server listening on 127.0.0.1 port ${port}`) || daemon.exitCode !== null,
    () => `sshd does not listen; it logged:\n${log()}`,
  )
  if (daemon.exitCode !== null) throw new Error(`sshd ended with ${daemon.exitCode}; it logged:\n${log()}`)
  return daemon
}

const endProcess = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGTERM")
  })

/** The processes of the open connections. */
const childrenOf = (daemon: ChildProcess): ReadonlyArray<number> =>
  spawnSync(toolPath("pgrep"), ["-P", String(daemon.pid)], { encoding: "utf8" })
    .stdout.split("\n")
    .filter((line) => line !== "")
    .map(Number)

const kill = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It has just ended.
  }
}

const first = <A>(values: ReadonlyArray<A>): A => {
  const [value] = values
  if (value === undefined) throw new Error("empty")
  return value
}
