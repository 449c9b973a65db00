/** A machine whose keys are lost, one after the other, before anybody let the new ones in: nothing that it did goes without a word. */
import { rmSync } from "node:fs"
import { expect, it } from "vitest"
import { fleet } from "../support/fleet.js"
import { add, approve, attempt, machine, rejected, rowsHash, servers, sync, verify } from "../support/machines.js"

it.each([1, 2, 3])("%s keys are lost, and each did some work", async (times) => {
  const found = await fleet("a", "c")
  const { a } = found
  let { c } = found
  const lose = async () => {
    await c.close()
    rmSync(`${c.path}.key`)
    c = machine("c", found.remote, { path: c.path })
  }
  for (let n = 1; n <= times; n++) {
    await lose()
    await add(c, `work-${n}`)
    await attempt(c)
  }
  await lose()
  await attempt(c)
  await sync(a)
  await approve(a)
  for (const one of [a, c, a, c]) await sync(one)
  for (const one of [a, c]) {
    const told = (await rejected(one)).map(({ what }) => what)
    expect([...(await servers(one)), ...told].length).toBe(times)
    expect((await verify(one)).findings).toEqual([])
  }
  expect(rowsHash(c.path)).toBe(rowsHash(a.path))
  for (const one of [a, c]) await one.close()
})
