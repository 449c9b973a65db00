/** A backup that is put in the place of a log: which log it is, is said before and after. */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { itself, type Signing, signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld.close())

const off = { CONTEXT_SYNC: "off" }

const backupOf = async (of: Signing, name: string): Promise<string> => {
  const file = join(of.directory, name)
  await of.succeed(`backup ${file}`)
  return file
}

/** A log of its own with these servers. */
const begun = async (actor: string, env: Readonly<Record<string, string>>, ...names: ReadonlyArray<string>) => {
  const place = signing(actor, env)
  for (const name of names) await place.succeed(`server add ${name} --local`)
  return place
}

/** Answers the question on a terminal. */
const answering = (answer: string) => {
  let typed = false
  const watch = (soFar: string, _: unknown, type: (keys: string) => void) => {
    if (typed || !soFar.includes("[y/N]")) return
    typed = true
    type(`${answer}\n`)
  }
  return { terminal: true, watch } as const
}

describe("a backup of another log", () => {
  it("is told from the one that is there, and is meant or refused", async () => {
    const here = await begun("ada", off, "alpha", "beta")
    const other = await begun("mal", off, "trap")
    const [own, theirs] = [await itself(here), await itself(other)]
    const backup = await backupOf(other, "other.db")
    for (const flags of ["", " --yes"]) {
      const { code, stderr } = await here.run(`restore ${backup}${flags}`)
      expect({ flags, code }).toEqual({ flags, code: 1 })
      for (const said of [
        "another log",
        own.fingerprint,
        theirs.fingerprint,
        "alpha, beta",
        "trap",
        "ServerAdded on 2",
      ])
        expect(stderr).toContain(said)
      expect(stderr).toContain("--another-log --yes")
    }
    expect((await here.run(`restore ${backup} --another-log`)).code).toBe(1)
    const asked = await here.run(`restore ${backup}`, answering("n"))
    expect(asked.stdout).toMatch(/in the place of .*: it is another log than the one there\?/s)
    expect(asked.stdout).toContain(theirs.fingerprint)
    expect((await here.json("server list")).length).toBe(2)
    const done = await here.succeed(`restore ${backup} --another-log --yes`)
    expect(done).toContain("the backup was another log than the one there")
    expect((await here.json("server list")).length).toBe(1)
  })

  it("does not take over the connection of the one that was there", async () => {
    const here = await begun("ada", {}, "alpha")
    await here.succeed(`sync connect ${sqld.url}`, token(sqld))
    expect(await here.run("alert")).toMatchObject({ code: 0 })
    const backup = await backupOf(await begun("mal", off, "trap"), "other.db")
    const done = await here.succeed(`restore ${backup} --another-log --yes`)
    expect(done).toContain("sync disconnect")
    for (const line of ["alert", "sync status", "sync now", "alert", "sync status"]) {
      const { code, stderr, stdout } = await here.run(line)
      expect({ line, code }).toEqual({ line, code: 1 })
      expect((stdout + stderr).replace(/\s+/g, " "), line).not.toContain("nothing is known to be wrong")
    }
    // Who may write is another question in a log that is not the one that is shared.
    expect((await here.run("sync status")).stdout).toMatch(/not enrolled in the log that is here\n$/)
    await here.succeed("sync disconnect")
    expect((await here.run("alert")).stdout).not.toContain("restore")
    expect(await here.run("sync status")).toMatchObject({ code: 0 })
  })

  it("is told until the log is back that is connected, and no longer", async () => {
    const here = await begun("ada", {}, "alpha")
    const own = await startSqld()
    await here.succeed(`sync connect ${own.url}`, token(own))
    const [mine, theirs] = [
      await backupOf(here, "mine.db"),
      await backupOf(await begun("mal", off, "trap"), "other.db"),
    ]
    const said = async (restored: string) => {
      const { isConnected } = await here.json(`restore ${restored} --another-log --yes`)
      return { isConnected, alerts: (await here.json("alert")).map(({ message }: { message: string }) => message) }
    }
    const another = { isConnected: false, alerts: [expect.stringContaining("restore put another log here")] }
    expect(await said(theirs)).toEqual(another)
    // Whatever was tried meanwhile, and in whichever state that other log comes there again.
    await here.run("sync now")
    expect((await here.json("alert"))[0].next).toContain("sync join")
    expect(await said(await backupOf(here, "again.db"))).toEqual(another)
    expect(await said(mine)).toEqual({ isConnected: true, alerts: [] })
    expect(await here.run("sync status")).toMatchObject({ code: 0, stdout: expect.not.stringContaining("restore") })
    expect(await here.succeed("sync now")).toContain("0 events pushed")
    await own.close()
  })

  it("leads to one way out by every door, where it was put there by hand", async () => {
    const here = await begun("ada", {}, "alpha")
    const own = await startSqld()
    await here.succeed(`sync connect ${own.url}`, token(own))
    const theirs = await backupOf(await begun("mal", off, "trap"), "other.db")
    for (const end of ["", "-wal", "-shm"]) rmSync(here.db + end, { force: true })
    copyFileSync(theirs, here.db)
    const join = /context infra sync join/
    const { findings } = await here.json("doctor")
    const unwell = findings.filter(({ check, level }: Record<string, string>) => ["key", "memory", "sync"].includes(check as string) && level !== "ok") // biome-ignore format: one line
    expect(unwell.map(({ fix }: { fix: string }) => fix)).toEqual([1, 2, 3].map(() => expect.stringMatching(join)))
    const alerts = await here.json("alert")
    expect(alerts.map(({ next }: { next: string }) => next)).toEqual([1, 2].map(() => expect.stringMatching(join)))
    expect((await here.run("sync status")).stdout).toMatch(/this machine +not enrolled in the log that is here: context infra sync join/) // biome-ignore format: one line
    expect((await here.run("sync join --yes")).stdout).toContain("pulled")
    expect(await here.run("sync status")).toMatchObject({ stdout: expect.stringMatching(/this machine +enrolled/) })
    await own.close()
  })

  it("is so, too, where it has no signatures and the log there has", async () => {
    const here = await begun("ada", off, "alpha")
    const backup = await backupOf(await begun("mal", { ...off, CONTEXT_KEY: "off" }, "alpha"), "bare.db")
    const refused = await here.run(`restore ${backup} --yes`)
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("an unsigned log") })
    expect(refused.stderr).toMatch(/here +root: .*\n.*backup +unsigned/)
    expect(await here.succeed(`restore ${backup} --another-log --yes`)).toContain("an unsigned log")
  })

  it("is not what an older, a newer and a forked state of the same log are", async () => {
    const here = await begun("ada", off, "alpha")
    const older = await backupOf(here, "older.db")
    await here.succeed("server add beta --local")
    const newer = await backupOf(here, "newer.db")
    expect((await here.json(`restore ${newer} --yes`)).likeness).toBe("same")
    expect(await here.succeed(`restore ${older} --yes`)).toContain("an older state of the log there")
    expect((await here.json(`restore ${newer} --yes`)).likeness).toBe("newer")
    await here.succeed(`restore ${older} --yes`)
    await here.succeed("server add gamma --local")
    expect(await here.succeed(`restore ${newer} --yes`)).toContain("went on in another way")
    expect((await here.json(`restore ${newer} --yes --db ${here.db}.new`)).likeness).toBe("new")
    // Its header is still that of a log, and nothing else can be read.
    const damaged = `${here.db}.damaged`
    const bytes = readFileSync(`${here.db}.new`)
    writeFileSync(damaged, bytes.fill(0xff, 100), { mode: 0o600 })
    expect((await here.json(`restore ${newer} --yes --db ${damaged}`)).likeness).toBe("unreadable")
  })

  it("is brought back where the log is shared, and says by what", async () => {
    const here = await begun("ada", {}, "alpha")
    const own = await startSqld()
    await here.succeed(`sync connect ${own.url}`, token(own))
    const older = await backupOf(here, "older.db")
    await here.succeed("server add beta --local --wait-sync")
    expect(await here.succeed(`restore ${older} --yes`)).toMatch(/given up: .*\n.*context infra sync now/)
    await here.succeed("sync now")
    expect((await here.json("server list")).map(({ name }: { readonly name: string }) => name)).toEqual([
      "alpha",
      "beta",
    ])
    await own.close()
  })

  it("and a replay of the past are two things: that is refused", async () => {
    const here = await begun("ada", off, "alpha", "beta")
    const past = join(here.directory, "past.db")
    await here.succeed(`audit replay --to 2 --into ${past}`)
    const refused = await here.run(`restore ${past} --yes`)
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("audit replay wrote it") })
    expect((await here.json("server list")).length).toBe(2)
  })
})
