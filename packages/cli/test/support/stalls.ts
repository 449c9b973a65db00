/** How long the event loop of a real `serve` does nothing else, alone and while its machine synchronises a lot. */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Commands } from "@context-engine/core/Commands"
import * as Service from "@context-engine/core/domain/Service"
import { Registry } from "@context-engine/core/services/Registry"
import { remoteLog } from "@context-engine/store/sync/http"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { auditAll } from "../../../store/test/support/audited.js"
import { beginLog, type Machine, machine, sync } from "../../../store/test/support/machines.js"
import { openLine } from "../../../store/test/support/proxy.js"
import { startSqld } from "../../../store/test/support/sqld.js"

/** A timer of 5 ms within the server, which notes how late it comes at most. A signal makes it tell, and begin anew. */
const probe = (file: string): string => `
if (process.argv.includes("serve")) {
  const { renameSync, writeFileSync } = require("node:fs")
  let last = performance.now(), longest = 0
  setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last - 5)
    last = now
  }, 5).unref()
  process.on("SIGUSR2", () => {
    writeFileSync(${JSON.stringify(`${file}.draft`)}, String(longest))
    renameSync(${JSON.stringify(`${file}.draft`)}, ${JSON.stringify(file)})
    longest = 0
  })
}`

/** Longest stalls in milliseconds, and how much was synchronised meanwhile. */
export interface Stalls {
  readonly alone: number
  readonly syncing: number
  readonly pulled: number
  readonly rebased: number
  readonly requests: number
}

export interface Options {
  /** The file of the CLI. */
  readonly program: string
  /** How many events others push, and how many commands wait here. */
  readonly pulled: number
  readonly rebased: number
  /** Milliseconds each way to the shared log. */
  readonly delay: number
}

/** Runs a server whose machine is connected, while it serves, to a shared log that has gone on without it. */
export const stalls = async ({ delay, program, pulled, rebased }: Options): Promise<Stalls> => {
  const directory = mkdtempSync(join(tmpdir(), "context-stalls-"))
  const sqld = await startSqld()
  const line = await openLine(sqld.port)
  line.delay = delay
  const remote = () => remoteLog({ url: sqld.url, token: sqld.token() })
  const near = machine("near", remote(), { path: join(directory, "infra.db") })
  const far = machine("far", remote(), { path: join(directory, "far.db") })
  await beginLog(far, near)
  await begin(far)
  for (const one of [far, near]) await sync(one)
  await checks(far, pulled)
  await sync(far)
  await changes(near, rebased)
  await near.close()
  await far.close()
  const server = await startServer(program, directory)
  try {
    const alone = await longest(server, async (again) => {
      for (let i = 0; i < 200; i++) await again()
    })
    const token = Redacted.value(sqld.token())
    let requests = 0
    const syncing = await longest(server, async (again) => {
      writeFileSync(join(directory, "sync.json"), JSON.stringify({ url: line.url, token }), { mode: 0o600 })
      for (let status = await again(); status.pending > 0 || status.confirmed < pulled + rebased; requests++)
        status = await again()
    })
    return { alone, syncing, pulled, rebased, requests }
  } finally {
    server.child.kill("SIGTERM")
    await new Promise((ended) => server.child.once("exit", ended))
    await auditAll(directory)
    await line.close()
    await sqld.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

const registry = <A>(use: (registry: Registry["Type"]) => Effect.Effect<A, unknown>) => Effect.flatMap(Registry, use)

const begin = (far: Machine) =>
  far.run(
    Effect.gen(function* () {
      for (let i = 0; i < 10; i++) yield* registry(({ servers }) => servers.add({ name: `s${i}` }))
      yield* registry(({ services }) => services.add({ name: "api", server: "s0" }))
    }),
  )

/** What a monitor writes: a health check after the other, by hundreds. */
const checks = (far: Machine, count: number) =>
  far.run(
    Effect.gen(function* () {
      const commands = yield* Commands
      const { id, serverId } = yield* registry(({ services }) => services.get("api"))
      const at = "2026-01-01T00:00:00.000Z"
      const check = Service.HealthChecked({ service: "api", server: "s0", serverId, status: "healthy", previous: "healthy", detail: "200 in 5 ms", latency: 5, at }) // biome-ignore format: one event
      for (let done = 0; done < count; done += 100)
        yield* commands.record(Service.entity.aggregate, id, Array(Math.min(100, count - done)).fill(check))
    }),
  )

const changes = (near: Machine, count: number) =>
  near.run(
    Effect.gen(function* () {
      for (let i = 0; i < count; i++)
        yield* registry(({ servers }) => servers.update(`s${i % 10}`, { notes: `note ${i}` }))
    }),
  )

interface Server {
  readonly child: ChildProcess
  readonly file: string
  readonly get: (path: string) => Promise<any>
}

const startServer = async (program: string, directory: string): Promise<Server> => {
  const file = join(directory, "longest")
  writeFileSync(join(directory, "probe.cjs"), probe(file))
  const child = spawn(process.execPath, [program, "infra", "serve", "--port", "0", "--json"], {
    stdio: ["ignore", "pipe", "ignore"],
    env: {
      ...process.env,
      HOME: directory,
      CONTEXT_DB: join(directory, "infra.db"),
      CONTEXT_KEY: join(directory, "infra.db.key"),
      CONTEXT_SYNC_FILE: join(directory, "sync.json"),
      NODE_OPTIONS: `--require=${join(directory, "probe.cjs")}`,
    },
  })
  const { token, url } = await new Promise<{ readonly token: string; readonly url: string }>((resolve, reject) => {
    child.stdout?.once("data", (text: Buffer) => resolve(JSON.parse(text.toString())))
    child.once("exit", () => reject(new Error("the server ended")))
  })
  const get = async (path: string) =>
    (await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } })).json()
  return { child, file, get }
}

/** The longest stall while `work` asks the server, again and again. */
const longest = async (
  { child, file, get }: Server,
  work: (again: () => Promise<{ readonly pending: number; readonly confirmed: number }>) => Promise<void>,
): Promise<number> => {
  const again = async () => {
    await get("/v1/status")
    await new Promise((resolve) => setTimeout(resolve, 10))
    return get("/v1/sync")
  }
  // What is loaded at the first request is no stall of synchronising.
  for (let i = 0; i < 20; i++) await again()
  const tell = async () => {
    child.kill("SIGUSR2")
    while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5))
    const told = Number(readFileSync(file, "utf8"))
    rmSync(file)
    return told
  }
  await tell()
  await work(again)
  return tell()
}
