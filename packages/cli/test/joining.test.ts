/** What is asked before a log and a shared one become one. */
import { join } from "node:path"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld?.close())

it("names a root of the log that would go with what is put there, before it does", async () => {
  const [ada, kim] = [signing("ada"), signing("kim")]
  await ada.succeed("server add alpha --ip 10.0.0.1")
  await ada.succeed(`sync connect ${sqld.url}`, token(sqld))
  const copy = join(ada.directory, "copy.db")
  await ada.succeed(`backup ${copy}`)
  await ada.succeed("server add beta --ip 10.0.0.2 --wait-sync")

  await kim.succeed(`restore ${copy} --yes`)
  await kim.succeed("machine root --keys-lost --yes")
  await kim.succeed("server add gamma --ip 10.0.0.3")
  const asked = await kim.run(`sync connect ${sqld.url}`, token(sqld))
  expect([asked.code, asked.stderr]).toEqual([1, expect.stringMatching(/a new root among\s+them, which every other machine\s+asks\s+its person about/)]) // biome-ignore format: one line
  await ada.succeed("sync now")
  expect((await ada.run("alert")).code).toBe(0)
})
