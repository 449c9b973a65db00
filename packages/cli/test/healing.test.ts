/** `sync heal`, where whoever holds the token of a plain server has changed what is kept there. */
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { clientOf, type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { invited, signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld?.close())

it("puts it right, says what it was, and names a way on where it cannot", async () => {
  const [ada, sam] = [signing("ada"), signing("sam")]
  for (const name of ["alpha", "beta", "gamma"]) await ada.succeed(`server add ${name}`)
  await ada.succeed(`sync connect ${sqld.url}`, token(sqld))
  await ada.succeed("sync now")
  const client = clientOf(sqld)
  const unguarded = "DROP TRIGGER IF EXISTS events_no_update; DROP TRIGGER IF EXISTS events_no_delete;"

  for (const sql of [
    "DELETE FROM log",
    "DELETE FROM events WHERE position = 2",
    "UPDATE events SET position = 9007199254740995 WHERE position = 2",
  ]) {
    await client.executeMultiple(`${unguarded} ${sql}`)
    const asked = await ada.run("sync heal")
    expect(asked.stderr).toContain("add --yes")
    await ada.succeed("sync heal --yes")
  }
  const notes = (await ada.json("sync log")).map(({ detail }: { readonly detail: string }) => detail).join("\n")
  expect(notes).toContain("an event that was gone is back: position 2")
  await invited(sam, ada, sqld)
  expect(await sam.json("server list")).toEqual(await ada.json("server list"))
  await ada.succeed("sync now")

  await client.executeMultiple(`${unguarded} UPDATE events SET hash = 'ab' WHERE position = 2`)
  const refused = await ada.run("sync heal --yes")
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain("an empty database in the place of the shared log")
  expect((await ada.json("sync status")).lastError).toMatchObject({ reason: "damaged" })
  await client.executeMultiple("DROP TABLE events; DROP TABLE log")
  await ada.succeed("sync heal --yes")
  for (const one of [ada, sam]) await one.succeed("sync now")
  for (const one of [ada, sam]) expect((await one.run("audit verify")).code).toBe(0)
})
