/** What this program keeps of a machine, where its user may not look at it: that is said with what mends it, and is no bug. */
import { chmodSync, chownSync, renameSync, writeFileSync } from "node:fs"
import { userInfo } from "node:os"
import { dirname, join } from "node:path"
import { expect, it, vi } from "vitest"
import { workspace } from "./support/cli.js"

vi.setConfig({ testTimeout: 60_000 })

/** Whom rights bind: they do not bind root. */
const bound = process.getuid?.() === 0 ? 65_534 : undefined
const name = bound === undefined ? userInfo().username : "nobody"

/** A machine of such a user with a server of its own. */
const machine = async () => {
  const place = workspace()
  const own = (path: string) => chownSync(path, bound ?? -1, bound ?? -1)
  own(place.directory)
  const env = { CONTEXT_DB: "", CONTEXT_KEY: "", CONTEXT_SYNC: "", CONTEXT_SYNC_FILE: "", XDG_CONFIG_HOME: "" }
  const run = (line: string) => place.run(line, { uid: bound, env })
  const config = join(place.directory, ".config", "context")
  expect(await run("server add here --local")).toMatchObject({ code: 0 })
  expect(await run("service add api --server here --deploy true --restart true")).toMatchObject({ code: 0 }) // biome-ignore format: one line
  return { config, own, run }
}

/** Whoever acts needs the key, and whoever asks for the shared log needs to know where that is. */
const acting = ["server add alpha --ip 192.0.2.1", "deploy api", "service restart api", "server status", "server run here -- true", "health"] // biome-ignore format: a list
const sharing = ["sync now", "sync status", "sync log", "sync invite", "sync disconnect", "machine list", "machine root", "machine add ci", "alert"] // biome-ignore format: a list
const reading = ["server list", "status", "events", "history api", "audit verify", "rebuild"]

it.each([
  ["the directory", (config: string) => config, "entered", "rwx"],
  ["the directory above it", (config: string) => dirname(config), "entered", "rwx"],
  ["the key", (config: string) => join(config, "machine.key"), "read", "rw"],
  ["the addresses", (config: string) => join(config, "sync.json"), "read", "rw"],
] as const)("%s", async (what, pathIn, from, rights) => {
  const { config, own, run } = await machine()
  const path = pathIn(config)
  if (what === "the addresses") {
    writeFileSync(path, JSON.stringify({ version: 2, logs: {} }))
    own(path)
  }
  chmodSync(path, 0)
  const mended = `${path} may not be ${from} by ${name}; chmod u+${rights} ${path}`
  const [needsKey, needsAddress] = [what !== "the addresses", what !== "the key"]
  for (const line of [...(needsKey ? acting : []), ...(needsAddress ? sharing : [])]) {
    const { code, stderr, stdout } = await run(line)
    const said = `${stdout}${stderr}`.replaceAll(/\s+/g, " ")
    expect({ line, code, said }).toEqual({ line, code: 1, said: expect.stringContaining(mended) })
    expect(said).not.toContain("move it away")
  }
  for (const line of reading) expect(await run(line), line).toMatchObject({ code: 0 })
  const { findings } = JSON.parse((await run("doctor --json")).stdout)
  const told = (check: string, level = "trouble") => ({
    check,
    level,
    found: expect.stringContaining(`may not be ${from} by ${name}`),
    fix: `chmod u+${rights} ${path}`,
  })
  const remembers = from === "entered" ? [told("memory", "warning")] : []
  const expected = [...remembers, ...(needsKey ? [told("key")] : []), ...(needsAddress ? [told("sync")] : [])]
  expect(findings.filter(({ level }: { level: string }) => level !== "ok")).toEqual(expected)
  chmodSync(path, what === "the key" || what === "the addresses" ? 0o600 : 0o700)
  expect(await run("deploy api")).toMatchObject({ code: 0 })
})

it("where a file stands in the place of the directory, what leads on is said, too", async () => {
  const { config, own, run } = await machine()
  renameSync(config, `${config}.old`)
  writeFileSync(config, "")
  own(config)
  for (const line of [...acting, ...sharing]) {
    const { code, stderr, stdout } = await run(line)
    const said = `${stdout}${stderr}`.replaceAll(/\s+/g, " ")
    const mended = `${config} is no directory; mv ${config} ${config}.old`
    expect({ line, code, said }).toEqual({ line, code: 1, said: expect.stringContaining(mended) })
  }
})

it("a server of this machine is taken for no other one's", async () => {
  const { config, run } = await machine()
  chmodSync(config, 0)
  expect((await run("scan here")).stdout).not.toContain("another machine")
  chmodSync(config, 0o700)
})
