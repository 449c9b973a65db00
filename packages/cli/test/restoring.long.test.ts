/** A backup that is put in the place of a log: what was told as done is in one file or the other, and what is said of it is so. */
import { readdirSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { invited, itself, signing, token } from "./support/enrolled.js"

// Each step is a program that starts, on a machine that may have much else to do.
vi.setConfig({ testTimeout: 240_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld?.close())

it("nothing that was told as done is lost, and the log is whole", async () => {
  const laptop = signing("laptop")
  const backup = `${laptop.db}.backup`
  await laptop.succeed("server add first")
  await laptop.succeed(`backup ${backup}`)
  const told = new Set(["first"])
  let at = 0
  const adding = async (): Promise<void> => {
    for (let times = 0; times < 8; times++) {
      const name = `server-${at++}`
      if ((await laptop.run(`server add ${name}`)).code === 0) told.add(name)
    }
  }
  const restoring = async (): Promise<number> => {
    let done = 0
    for (let times = 0; times < 8; times++) {
      const { code, stderr } = await laptop.run(`restore ${backup} --yes`)
      if (code === 0) done += 1
      else expect(stderr).toMatch(/is in use|was written to since|is being written|held the log's lock/)
    }
    return done
  }
  const [done] = await Promise.all([restoring(), adding(), adding()])
  expect(done).toBeGreaterThan(0)
  expect((await laptop.json("audit verify")).ok).toBe(true)
  const directory = dirname(laptop.db)
  const asides = readdirSync(directory).filter((name) => /\.before-[\dTZ-]+$/.test(name))
  expect(asides.every((name) => name.startsWith(basename(laptop.db)))).toBe(true)
  const found = new Set<string>()
  for (const db of [laptop.db, ...asides.map((name) => join(directory, name))])
    for (const { name } of await laptop.json(`server list --db ${db}`)) found.add(name)
  expect([...told].filter((name) => !found.has(name))).toEqual([])
})

it("what is told as never shared is in no other log", async () => {
  const [ada, sam] = [signing("ada"), signing("sam")]
  const backup = `${ada.db}.backup`
  await ada.succeed("server add first")
  await ada.succeed(`sync connect ${sqld.url}`, token(sqld))
  await invited(sam, ada, sqld)
  await ada.succeed("sync now")
  await ada.succeed(`backup ${backup}`)
  for (let times = 0; times < 3; times++) {
    await sam.succeed(`server add theirs-${times} --wait-sync`)
    await ada.succeed(`server add late-${times}`)
    const said = await ada.run(`restore ${backup} --yes --json`)
    expect(said.stdout, said.stderr).not.toBe("")
    const { aside, unshared } = JSON.parse(said.stdout)
    expect(aside).not.toBeNull()
    await sam.succeed("sync now")
    const shared = (await sam.json("server list")).map(({ name }: { readonly name: string }) => name)
    expect(shared.includes(`late-${times}`)).toBe(unshared === 0)
    await ada.succeed("sync now")
  }
})

it("the work of a machine that waits to be enrolled comes back on another, and is given again", async () => {
  const own = await startSqld()
  try {
    const [ada, sam, again] = [signing("ada"), signing("sam"), signing("again")]
    const backup = `${sam.db}.backup`
    await ada.succeed("server add first")
    await ada.succeed(`sync connect ${own.url}`, token(own))
    await sam.run(`sync connect ${own.url}`, token(own))
    await sam.succeed("server add mine")
    await sam.succeed(`backup ${backup}`)
    const { fingerprint } = await itself(sam)
    const said = await again.succeed(`restore ${backup} --yes`)
    expect(said.replace(/\s+/g, " ")).toMatch(
      /1 event from position \d on was written with the key of .* nobody enrolled: it is kept/,
    )
    expect(said).toContain(fingerprint)
    expect((await again.json("server list")).length).toBe(2)
    const { code } = await ada.json("sync invite")
    const connected = await again.run(`sync connect ${own.url} --invite ${code}`, token(own))
    expect(connected.stderr).toContain("context infra sync rejected")
    expect((await again.json("server list")).length).toBe(1)
    await again.succeed("sync rejected retry --all --yes")
    for (const one of [again, ada]) await one.succeed("sync now")
    for (const one of [again, ada]) {
      expect((await one.json("server list")).length).toBe(2)
      expect((await one.json("audit verify")).ok).toBe(true)
    }
  } finally {
    await own.close()
  }
})
