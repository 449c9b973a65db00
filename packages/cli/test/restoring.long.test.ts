/** Commands that are given while a backup is put in the place of their log: what was told as done is in one file or the other. */
import { readdirSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { expect, it, vi } from "vitest"
import { signing } from "./support/enrolled.js"

// Each step is a program that starts, on a machine that may have much else to do.
vi.setConfig({ testTimeout: 240_000 })

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
