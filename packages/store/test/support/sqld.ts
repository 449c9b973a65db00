/** The real libsql-server: started on a free port of the loopback, with a key that signs its tokens. */
import { type ChildProcess, spawn } from "node:child_process"
import { generateKeyPairSync, sign } from "node:crypto"
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Client, createClient } from "@libsql/client/http"
import * as Redacted from "effect/Redacted"

/** What a token may do, and until when (seconds since 1970). */
export interface Claims {
  readonly a: "rw" | "ro"
  readonly exp?: number
}

export interface Sqld {
  readonly port: number
  readonly url: string
  readonly token: (claims?: Claims) => Redacted.Redacted
  readonly kill: () => Promise<void>
  readonly start: () => Promise<void>
  /** Stops it in its tracks: its port takes connections, and nobody answers. */
  readonly pause: () => void
  readonly resume: () => void
  /** Copies its data aside, while it is stopped. */
  readonly save: (name: string) => void
  /** Puts data that was saved, or none at all, in the place of what it has, while it is stopped. */
  readonly restore: (name: string | undefined) => void
  readonly close: () => Promise<void>
}

const program = (): string => {
  const from = createRequire(import.meta.url)
  return join(from.resolve("sqld/package.json"), "..", "..", "@sqld", `${process.platform}-${process.arch}`, "sqld")
}

/** Starts a server with no data. */
export const startSqld = async (): Promise<Sqld> => {
  const directory = mkdtempSync(join(tmpdir(), "context-sqld-"))
  const data = join(directory, "data")
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  writeFileSync(join(directory, "key.pem"), publicKey.export({ format: "pem", type: "spki" }))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  const start = async () => {
    const options = [
      "-d",
      data,
      "--http-listen-addr",
      `127.0.0.1:${port}`,
      "--auth-jwt-key-file",
      join(directory, "key.pem"),
    ]
    child = spawn(program(), [...options, "--no-welcome"], {
      stdio: "ignore",
      env: { ...process.env, RUST_LOG: "off" },
    })
    for (let waited = 0; !(await healthy(url)); waited += 10) {
      if (child.exitCode !== null || waited > 20_000) throw new Error(`sqld did not start (${child.exitCode})`)
      await delay(10)
    }
  }
  const kill = async () => {
    const running = child
    child = undefined
    if (running === undefined || running.exitCode !== null) return
    const ended = new Promise((resolve) => running.once("exit", resolve))
    running.kill("SIGKILL")
    await ended
  }
  await start()
  return {
    port,
    url,
    start,
    kill,
    pause: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
    token: (claims = { a: "rw" }) => Redacted.make(jwt(claims, (text) => sign(null, Buffer.from(text), privateKey))),
    save: (name) => cpSync(data, join(directory, name), { recursive: true }),
    restore: (name) => {
      renameSync(data, join(directory, `before-${Date.now()}-${Math.random()}`))
      if (name === undefined) mkdirSync(data)
      else cpSync(join(directory, name), data, { recursive: true })
    },
    close: async () => {
      await kill()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** What whoever holds a token of it can say there: any SQL. */
export const clientOf = ({ token, url }: Sqld): Client =>
  createClient({ url, authToken: Redacted.value(token()), intMode: "number" })

const jwt = (claims: Claims, signed: (text: string) => Buffer): string => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const text = `${part({ alg: "EdDSA", typ: "JWT" })}.${part(claims)}`
  return `${text}.${signed(text).toString("base64url")}`
}

const healthy = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(`${url}/health`)).ok
  } catch {
    return false
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

const delay = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
