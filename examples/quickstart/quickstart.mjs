// The main job for real, in a throw-away directory: register this machine, deploy a service, refuse a bad version, roll
// back, and look at the past. Every step is the command a person would type; each is printed before it runs.
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = resolve(fileURLToPath(import.meta.url), "../../..")
const cli = join(root, "packages/cli/bin/context.cjs")
const directory = mkdtempSync(join(tmpdir(), "context-quickstart-"))
const db = join(directory, "infra.db")
const origin = join(directory, "hello.git")
const project = join(directory, "hello")

const main = async () => {
  const started = Date.now()
  say(`Everything happens in ${directory}; nothing else is touched.`)
  const port = await freePort()
  createRepository()

  heading("This machine and a service on it")
  context("server", "add", "here", "--local", "--role", "development")
  const deploy = `git pull --quiet && PORT=${port} sh ./restart.sh`
  context("service", "add", "hello", "--server", "here", "--type", "app", "--runtime", "node", "--port", String(port),
    "--health", "/health", "--project", project, "--deploy", deploy) // biome-ignore format: one command, one paragraph
  context.either("server", "status") // a busy machine is "degraded", and says so

  heading("Version 1, and whether it is well")
  context("deploy", "hello", "--note", "the first one")
  context("health")
  const before = position()

  heading("Version 2 is broken, and the health gate refuses it")
  commit("version 2", (source) => source.replace('"v1"', '"v2"').replace("writeHead(200", "writeHead(500"))
  context.failing("deploy", "hello", "--health-timeout", "3s")
  context.failing("status")

  heading("Back to version 1")
  context("rollback", "hello")
  context("health", "hello")

  heading("What happened, and how it was before the bad deploy")
  context.either("status")
  context("history", "hello")
  context("events", "--limit", "8")
  context.either("status", "--at", String(before))

  say(`\nDone in ${((Date.now() - started) / 1000).toFixed(1)} s. The service still runs on port ${port}. Try next:\n`)
  say(`  export CONTEXT_DB=${db}`)
  say("  npx context infra status")
  say("  npx context infra service show hello")
  say("  npx context infra history hello --json")
  say("  npx context infra serve              # the same over HTTP, with docs at /docs")
  say("  npx context infra server add --help  # and then your own servers")
  say(`\nTo stop the service and throw everything away:\n\n  kill $(cat ${project}/service.pid); rm -r ${directory}\n`)
}

/** Runs `context infra …`, showing what a person would type. It must end well. */
const context = (...args) => expectStatus(0, run(args), args)

/** The same for a command that must end with status 1: the point of this step. */
context.failing = (...args) => expectStatus(1, run(args), args)

/** The same for a command whose answer depends on the machine. */
context.either = (...args) => {
  const status = run(args)
  if (status !== 1) expectStatus(0, status, args)
}

const run = (args) => {
  say(`\n$ context infra ${args.map((arg) => (/^[\w./:=-]+$/.test(arg) ? arg : `"${arg}"`)).join(" ")}`)
  return spawnSync(process.execPath, [cli, "infra", ...args], { stdio: "inherit", env: environment }).status
}

const environment = { ...process.env, CONTEXT_DB: db, CONTEXT_KEY: join(directory, "machine.key") }

const expectStatus = (expected, status, args) => {
  if (status === expected) return
  throw new Error(`context infra ${args.join(" ")} ended with status ${status}, not ${expected}`)
}

const position = () => {
  const { stdout } = spawnSync(process.execPath, [cli, "infra", "status", "--json"], { env: environment })
  return JSON.parse(stdout).asOf.position
}

const git = (...args) =>
  execFileSync("git", ["-c", "user.name=quickstart", "-c", "user.email=quickstart@localhost", ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  })

/** A repository with the example service in it, and a clone of it that is deployed from. */
const createRepository = () => {
  const work = join(directory, "work")
  cpSync(join(root, "examples/quickstart/service"), work, { recursive: true })
  renameSync(join(work, "gitignore"), join(work, ".gitignore"))
  git("init", "--quiet", "--bare", "--initial-branch=main", origin)
  git("-C", work, "init", "--quiet", "--initial-branch=main")
  git("-C", work, "remote", "add", "origin", origin)
  commit("version 1", (source) => source)
  git("clone", "--quiet", origin, project)
}

const commit = (message, change) => {
  const work = join(directory, "work")
  const file = join(work, "server.mjs")
  writeFileSync(file, change(readFileSync(file, "utf8")))
  git("-C", work, "add", "--all")
  git("-C", work, "commit", "--quiet", "--message", message)
  git("-C", work, "push", "--quiet", "origin", "main")
}

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => done(port))
    })
  })

const heading = (text) => say(`\n── ${text} ${"─".repeat(Math.max(0, 72 - text.length))}`)
const say = (text) => process.stdout.write(`${text}\n`)

if (!existsSync(join(root, "packages/cli/dist"))) {
  say("Building once …")
  execFileSync(process.execPath, [join(root, "scripts/build.mjs")], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  })
}

/** Stops the service and removes the directory. */
const cleanUp = () => {
  const pid = join(project, "service.pid")
  if (existsSync(pid)) process.kill(Number(readFileSync(pid, "utf8")))
  rmSync(directory, { recursive: true, force: true })
}

try {
  await main()
  // People look around afterwards; a CI machine is left as it was found.
  if (process.env.CI === "true") cleanUp()
} catch (error) {
  cleanUp()
  console.error(`\nquickstart: ${error.message}`)
  process.exitCode = 1
}
