/** A log that moves to another server: a normal act, and nothing of it is said to be lost. */
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { invited, signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let [old, next]: ReadonlyArray<Sqld> = []
beforeAll(async () => {
  ;[old, next] = [await startSqld(), await startSqld()]
})
afterAll(() => Promise.all([old?.close(), next?.close()]))

it("is moved by the first machine, joined there by the next, and both say so", async () => {
  const [from, to] = [old as Sqld, next as Sqld]
  const [ada, sam] = [signing("ada"), signing("sam")]
  await ada.succeed("server add alpha --ip 10.0.0.1")
  await ada.succeed(`sync connect ${from.url}`, token(from))
  await invited(sam, ada, from)
  await ada.succeed("sync now")
  await sam.succeed("server add beta --ip 10.0.0.2 --wait-sync")

  const asked = await ada.run(`sync connect ${to.url}`, token(to))
  expect(asked.code).toBe(1)
  expect(asked.stderr).toMatch(/share this log by way of that server, which is empty, and push \d+ events to it/)
  await ada.succeed(`sync connect ${to.url} --yes`, token(to))
  const second = await sam.run(`sync connect ${to.url}`, token(to))
  expect(second.stderr).toMatch(/which has \d+ events of it, all of them known here, and push \d more to it/)
  await sam.succeed(`sync connect ${to.url} --yes`, token(to))
  await ada.succeed("sync now")
  expect((await ada.json("server list")).length).toBe(2)
  for (const one of [ada, sam]) {
    const kinds = (await one.json("sync log")).map(({ what }: { readonly what: string }) => what)
    expect(kinds).toContain("connected")
    expect(kinds).not.toContain("healed")
    expect((await one.run("audit verify")).code).toBe(0)
  }
  expect(asked.stderr + second.stderr).not.toMatch(/reset|rolled|older copy/)
})

it("a server that wants a token, and got none, says how one is given", async () => {
  const refused = await signing("una").run(`sync connect ${(old as Sqld).url}`)
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("wants a token, and none was given") })
})
