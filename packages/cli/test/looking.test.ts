/** A log that is named: one that is only looked at, one that may only be read, and one that is not there. */
import { existsSync, mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { expect, it, vi } from "vitest"
import { type RunOptions, workspace } from "./support/cli.js"

vi.setConfig({ testTimeout: 60_000 })

/** A machine with a home of its own, and nothing that is set. */
const machine = () => {
  const place = workspace()
  const key = join(place.directory, ".config", "context", "machine.key")
  const run = (line: string, options: RunOptions = {}) =>
    place.run(line, { ...options, env: { CONTEXT_DB: "", CONTEXT_KEY: "", XDG_CONFIG_HOME: "", ...options.env } })
  const succeed = async (line: string, options?: RunOptions) => {
    const ended = await run(line, options)
    expect(ended, ended.stderr).toMatchObject({ code: 0 })
    return ended.stdout
  }
  const json = async (line: string, options?: RunOptions) => JSON.parse((await run(`${line} --json`, options)).stdout)
  return { directory: place.directory, key, run, succeed, json }
}

type Machine = ReturnType<typeof machine>

/** What the doctor and the alerts say of the key, in the same shape. */
const ofKey = async ({ json }: Machine, more = "") => {
  const { findings } = await json(`doctor${more}`)
  const doctor = findings.filter((one: { check: string; level: string }) => one.check === "key" && one.level !== "ok")
  const alerts = (await json(`alert${more}`)).map((one: { message: string; next: string }) => ({ found: one.message, fix: one.next })) // biome-ignore format: one line
  return { doctor, alerts }
}

it("a key that was never here is not gone, and who lost one is told the same way back everywhere", async () => {
  const [ada, ben] = [machine(), machine()]
  const backup = join(ada.directory, "backup.db")
  await ada.succeed("server add alpha --ip 10.0.0.1")
  await ada.succeed(`backup ${backup}`)
  const anew = expect.stringContaining("machine root --keys-lost")
  const expected = {
    doctor: [{ check: "key", level: "warning", found: expect.stringContaining("none yet"), fix: anew }],
    alerts: [{ found: expect.stringContaining("not enrolled in the log that is here"), fix: anew }],
  }
  // Once more: the alerts open the log, and remember what they saw of it.
  for (const _ of [1, 2]) expect(await ofKey(ben, ` --db ${backup}`)).toEqual(expected)
  await ben.succeed(`restore ${backup} --yes`)
  const restored = await ofKey(ben)
  expect(restored).toEqual(expected)
  expect(restored.doctor[0].fix).toBe(restored.alerts[0].fix)
  rmSync(ada.key)
  const lost = await ofKey(ada)
  const gone = expect.stringContaining("the key that this machine signed with is gone")
  expect(lost.doctor).toEqual([{ check: "key", level: "trouble", found: gone, fix: anew }])
  expect(lost.alerts).toEqual([{ found: gone, fix: lost.doctor[0].fix }])
  // A key of its own is none of that log either.
  await ben.succeed(`machine root --keys-lost --yes`)
  expect(await ofKey(ben)).toEqual({ doctor: [], alerts: [] })
})

it("a slip in the name of the log makes no directory, and a log that is begun under a name is told of", async () => {
  const { directory, run, succeed } = machine()
  const none = join(directory, "no", "such")
  const slip = join(none, "infra.db")
  const add = "server add alpha --ip 10.0.0.1"
  const toldOf = `there is no directory ${none}; make it, or name a file in another`
  const named = { env: { CONTEXT_DB: slip } }
  for (const refused of [run(`${add} --db ${slip}`), run(add, named), run("status", named)])
    expect(await refused).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining(toldOf) })
  expect(existsSync(join(directory, "no"))).toBe(false)
  // What nobody named has a place of its own.
  expect(await run(add)).toMatchObject({ code: 0, stderr: "" })
  const backup = join(directory, "backup.db")
  await succeed(`backup ${backup}`)
  expect(await run(`restore ${backup} --db ${slip} --yes`)).toMatchObject({ stderr: expect.stringContaining(toldOf) })
  mkdirSync(none, { recursive: true })
  // Whoever looked first has left an empty one.
  expect(await run("status", named)).toMatchObject({ code: 0, stderr: "" })
  expect(await run(add, named)).toMatchObject({ code: 0, stderr: `began a new log at ${slip}\n` })
  expect(await run("server add beta --ip 10.0.0.2", named)).toMatchObject({ code: 0, stderr: "" })
  // A log that was seen there comes back, directory and all.
  rmSync(join(directory, "no"), { recursive: true })
  expect(await run(add, named)).toMatchObject({ code: 1, stderr: expect.stringContaining("context infra restore") })
  await succeed(`restore ${backup} --db ${slip} --yes --another-log`)
})
