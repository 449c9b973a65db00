/** Jobs that keep nothing (CONTEXT_SYNC=remote): what they are told of their key and of the shared log, and what they never do to it. */
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { workspace } from "./support/cli.js"
import { invited, type Signing, signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld?.close())

/** A job in a home of its own; without `key`, with none. */
const job = (key?: string) => {
  const place = signing("ci")
  const own = { CONTEXT_KEY: key ?? join(place.directory, "machine.key") }
  const env = () => ({ CONTEXT_SYNC: "remote", TURSO_URL: sqld.url, TURSO_AUTH_TOKEN: token(sqld).input, ...own })
  const run = (line: string) => place.run(line, { env: env(), ...token(sqld) })
  const doctor = async () => {
    const { code, stdout } = await run("doctor --json")
    const { findings } = JSON.parse(stdout) as { findings: ReadonlyArray<{ check: string; level: string; found: string; fix?: string }> } // biome-ignore format: one line
    return { code, of: (check: string) => findings.filter((finding) => finding.check === check) }
  }
  return { run, doctor }
}

const waiting = async (machine: Signing) => {
  await machine.run("sync now")
  const { machines } = await machine.json("machine list")
  return machines.filter(({ status }: { readonly status: string }) => status === "waiting")
}

describe("a job that keeps nothing", () => {
  const [ada, sam] = [signing("ada"), signing("sam")]
  let key = ""
  beforeAll(async () => {
    await ada.succeed(`sync connect ${sqld.url}`, token(sqld))
    await ada.succeed("server add alpha --ip 10.0.0.1 --wait-sync")
    key = (await ada.json("machine add ci")).key
  })

  it("without a key is told that it reads and does not write, and what leads on", async () => {
    const bare = job()
    const { code, of } = await bare.doctor()
    expect(code).toBe(1)
    expect(of("key")).toMatchObject([
      { level: "trouble", found: expect.stringContaining("what it writes is refused"), fix: expect.stringContaining("context infra machine add <name>") }, // biome-ignore format: one line
    ])
    const status = await bare.run("sync status")
    expect(status.stdout).toContain("context infra machine add <name>")
    expect(status.stdout).not.toContain("sync now")
    expect((await job(key).doctor()).code).toBe(0)
  })

  it("with a key begins no log of its own where the shared one was not taken over, and goes on in it where it was", async () => {
    const own = workspace()
    const run = (line: string) => own.run(line, { env: { CONTEXT_KEY: key }, ...token(sqld) })
    for (const line of ["server add lost --ip 9.9.9.8", "server run alpha -- true"]) {
      const { code, stderr } = await run(line)
      expect(code, line).toBe(1)
      expect(stderr, line).toMatch(
        line.startsWith("server add") ? /key of a job.*CONTEXT_SYNC=remote/s : /key of a job|alpha/,
      )
    }
    expect((await own.json("events")).length).toBe(0)
    expect((await run(`sync connect ${sqld.url} --yes`)).code).toBe(0)
    expect((await run("server add kept --ip 9.9.9.8 --wait-sync")).code).toBe(0)
    await ada.run("sync now")
    expect((await ada.json("server list")).map(({ name }: { readonly name: string }) => name)).toContain("kept")
    await ada.succeed("server remove kept --yes --wait-sync")
  })

  it("never asks to be enrolled, whatever it runs and whether it has a key or not", async () => {
    const bare = job()
    expect(await bare.run("sync now")).toMatchObject({ code: 0, stderr: "" })
    expect((await bare.run("server add x --ip 10.0.0.9")).code).toBe(1)
    for (const line of ["sync now", `sync connect ${sqld.url}`]) {
      const { code, stderr } = await bare.run(line)
      expect(code, line).toBe(1)
      expect(stderr, line).toContain("context infra machine add <name>")
      expect(stderr, line).not.toContain("work is kept here")
    }
    const status = await bare.run("sync status")
    expect(status.stdout).toContain("machine add <name>")
    expect(status.stdout).not.toMatch(/--invite|work is kept here/)
    expect(await waiting(ada)).toEqual([])
    expect((await ada.run("alert")).code).toBe(0)
  })

  it("that was revoked is told one thing of what became of its work", async () => {
    const other = (await ada.json("machine add once")).key
    await ada.succeed("machine revoke once --yes")
    const { code, stderr } = await job(other).run("server add x --ip 10.0.0.9")
    expect(code).toBe(1)
    expect(stderr).toMatch(/nothing was kept here[\s\S]*was revoked[\s\S]*machine add <name>/)
    expect(stderr).not.toMatch(/work is kept|lets all of it through/)
  })

  it("says of a server that was emptied what every command says, and is not in the way of putting it back", async () => {
    await sqld.kill()
    sqld.restore(undefined)
    await sqld.start()
    const keyed = job(key)
    for (let again = 0; again < 2; again++) {
      const status = await keyed.run("status")
      expect(status.code).toBe(1)
      expect(status.stderr.replace(/\s+/g, " ")).toContain("is not the one that the key in CONTEXT_KEY was made for")
      expect(status.stderr).toContain("context infra sync heal, on a machine that has the log")
      const { code, of } = await keyed.doctor()
      expect(code).toBe(1)
      expect(of("key")).toMatchObject([
        { level: "trouble", found: expect.stringContaining("was made for"), fix: expect.stringContaining("context infra sync heal") }, // biome-ignore format: one line
      ])
      expect(JSON.stringify(of("key"))).not.toContain("machine root")
    }
    expect((await ada.run("sync now")).stderr).toContain("sync heal")
    await ada.succeed("sync heal --yes")
    expect((await keyed.doctor()).code).toBe(0)
  })

  it("is told by the doctor, too, that another root waits for a word", async () => {
    await invited(sam, ada, sqld)
    await sam.succeed("machine root --only-this --keys-lost --yes")
    for (const one of [job(), job(key)]) {
      for (const line of ["alert", "sync status", "audit verify"]) expect((await one.run(line)).code, line).toBe(1)
      const { code, of } = await one.doctor()
      expect(code).toBe(1)
      expect(of("log")).toMatchObject([
        { level: "trouble", found: expect.stringContaining("root"), fix: expect.stringContaining("context infra machine add <name>") }, // biome-ignore format: one line
      ])
    }
  })
})

describe("after a new root, a job's new key", () => {
  it.each([["--only-this"], [""]])("is made by the steps that are told (%s)", async (only) => {
    const there = await startSqld()
    try {
      const [ada, sam] = [signing("ada"), signing("sam")]
      await ada.succeed(`sync connect ${there.url}`, token(there))
      await ada.succeed("server add alpha --ip 10.0.0.1 --wait-sync")
      const old = (await ada.json("machine add ci")).key
      await invited(sam, ada, there)
      const told = (await sam.succeed(`machine root ${only} --keys-lost --yes`)).replace(/\s+/g, " ")
      const steps = [...told.matchAll(/machine (?:rename|revoke|add) <job>[^,]*?(?=,| gives|$)/g)].map(([step]) =>
        step.trim(),
      )
      expect(steps.length).toBe(only === "" ? 3 : 1)
      let key = ""
      for (const step of steps) {
        const line = step.replaceAll("<job>", "ci")
        const ended = await sam.run(`${line}${line.includes("revoke") ? " --yes" : ""} --json`)
        expect(ended, `${line}: ${ended.stderr}`).toMatchObject({ code: 0 })
        key = JSON.parse(ended.stdout).key
      }
      const write = (CONTEXT_KEY: string, name: string) =>
        signing("ci").run(`server add ${name} --ip 10.0.0.2`, {
          env: { CONTEXT_SYNC: "remote", TURSO_URL: there.url, TURSO_AUTH_TOKEN: token(there).input, CONTEXT_KEY },
        })
      expect(await write(key, "beta")).toMatchObject({ code: 0 })
      await sam.run("sync now")
      expect((await sam.json("server list")).length).toBe(2)
      const { machines } = await sam.json("machine list")
      expect(machines).toContainEqual(expect.objectContaining({ name: "ci", status: "enrolled" }))
      await write(old, "gamma")
      await sam.run("sync now")
      expect((await sam.json("server list")).length).toBe(2)
    } finally {
      await there.close()
    }
  })
})
