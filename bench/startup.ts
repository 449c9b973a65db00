/**
 * `npm run bench`: how long the built CLI takes from start to end, as a ratio to `node -e 0`.
 *
 * The three take turns, so that whatever else the machine does meets them alike.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { Registry } from "@context-engine/core"
import { layer } from "@context-engine/store"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { machine, markdown, median, quantile, type Row } from "./log/stats.js"

const runs = 15
const launcher = resolve("packages/cli/bin/context.cjs")

/** A log of so many servers and services, written by the library. */
const fill = (path: string, servers: number, services: number) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const names = Array.from({ length: servers }, (_, i) => `server-${i}`)
    const addServer = (name: string, i: number) =>
      registry.servers.add({ name, ipAddresses: [`10.0.${i >> 8}.${i & 255}`], role: "production", tags: ["bench"] })
    yield* Effect.forEach(names, addServer, { concurrency: 16 })
    const addService = (_: unknown, i: number) =>
      registry.services.add({
        name: `service-${i}`,
        server: names[i % servers] as string,
        type: "app",
        port: 3000 + i,
        healthEndpoint: "/health",
        projectPath: `/opt/apps/service-${i}`,
      })
    yield* Effect.forEach(Array.from({ length: services }), addService, { concurrency: 16 })
  }).pipe(Effect.provide(Layer.provideMerge(Registry.layer, layer(path))), Effect.runPromise)

/** Milliseconds of a whole process. */
const time = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): number => {
  const started = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] })
  const elapsed = performance.now() - started
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${status}: ${stderr}`)
  return elapsed
}

const measure = (directory: string, given: NodeJS.ProcessEnv): ReadonlyArray<Row> => {
  const env = { ...given, HOME: directory, XDG_CACHE_HOME: undefined, CONTEXT_DB: join(directory, "infra.db") }
  const commands = [
    { what: "node -e 0", args: ["-e", "0"], reach: 1, times: [] as Array<number> },
    { what: "context --help", args: [launcher, "--help"], reach: 1.8, times: [] as Array<number> },
    { what: "context infra status", args: [launcher, "infra", "status"], reach: 2.2, times: [] as Array<number> },
  ]
  for (const { args } of commands) for (let i = 0; i < 2; i++) time(args, env)
  for (let i = 0; i < runs; i++) for (const { args, times } of commands) times.push(time(args, env))
  const [base, ...rest] = commands.map((command) => ({
    ...command,
    median: median(command.times),
    shown: `${median(command.times).toFixed(0)} ms (p90 ${quantile(command.times, 0.9).toFixed(0)})`,
  }))
  return rest.map(({ median: own, reach, shown, what }) => {
    const ratio = own / (base?.median ?? Number.NaN)
    return {
      what: what.endsWith("status") ? `\`${what}\`, 100 servers, 500 services` : `\`${what}\``,
      figure: `**${ratio.toFixed(2)} ×**, ${shown}`,
      baseline: `\`${base?.what}\` ${base?.shown}`,
      reach: `≤ ${reach} ×`,
      ok: ratio <= reach,
    }
  })
}

const main = async () => {
  if (!existsSync("packages/cli/dist/context.cjs")) {
    console.error("the CLI has not been built: run npm run build first")
    process.exitCode = 1
    return
  }
  const directory = mkdtempSync(join(tmpdir(), "context-bench-"))
  try {
    await fill(join(directory, "infra.db"), 100, 500)
    const rows = measure(directory, process.env)
    console.log(`${machine()}, ${new Date().toISOString().slice(0, 10)}, medians of ${runs} whole processes\n`)
    console.log(markdown(rows))
    if (process.env.NODE_EXTRA_CA_CERTS !== undefined) {
      // Node reads them at every start, which makes all three slower and so the ratios smaller.
      console.log("\nThe same without NODE_EXTRA_CA_CERTS, which is set here and slows every start of Node:\n")
      console.log(markdown(measure(directory, { ...process.env, NODE_EXTRA_CA_CERTS: undefined })))
    }
    if (process.argv.includes("--check") && rows.some((row) => !row.ok)) process.exitCode = 1
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

await main()
