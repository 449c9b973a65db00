/** Whoever has the token can append any number of events that count for nothing. They hide nothing else that is to be told. */
import { isOfWaitingRoot } from "@context-engine/core/domain/Membership"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { insertRows } from "../../src/append.js"
import { Database } from "../../src/Database.js"
import type { EventRow } from "../../src/record.js"
import { isTime } from "../../src/sync/answers.js"
import { candidates } from "../../src/trust/candidates.js"
import { damaged, withNoise } from "../support/audited.js"
import { withSqlite } from "../support/files.js"
import { fleet } from "../support/fleet.js"
import { draft, placed, rewritten, slipIn, unsigned } from "../support/forger.js"
import { add, attempt, eventsOf, machines, signerOf, status, sync, verify } from "../support/machines.js"

it("a row that was changed, and a root that waits, are told beside more of it than is shown", async () => {
  const { a, b, c, there } = await fleet("a", "b", "c")
  await add(a, "alpha")
  await sync(a)
  slipIn(there(), Array.from({ length: 150 }, () => unsigned([draft()])).flat())
  // The root's machine is lost, and another begins a root, which the third has not heard of.
  await machines(b, (service) => service.beginRoot(true))
  await sync(b)
  await attempt(c)
  withNoise(b.path)
  damaged(c.path)
  withSqlite(c.path, (database) => database.exec("UPDATE servers SET notes = 'not what was written'"))

  const { findings } = await verify(c)
  expect(findings.filter(({ kind }) => kind === "inert")).toHaveLength(100)
  expect(findings.some(({ message }) => isOfWaitingRoot(message))).toBe(true)
  expect(findings.map(({ kind }) => kind)).toContain("row")
  for (const one of [a, b, c]) await one.close()
})

it.each(["x", "Z", "\u0000"])("a time that is none (%j at its end) is given to nobody's event", async (end) => {
  const { a, b, there } = await fleet("a", "b")
  for (const one of [a, b]) withNoise(one.path)
  const [row] = placed(there(), unsigned([draft()]))
  const soon = new Date(Date.now() + 1_200_000).toISOString()
  insertRows(there(), [(row as EventRow).with(9, `${soon}${end}`) as unknown as EventRow])
  for (const name of ["one", "two"]) {
    await add(a, name)
    await add(b, `${name} too`.replace(" ", "-"))
    for (const one of [a, b, a]) expect(await attempt(one)).toMatchObject({ _tag: "Right" })
  }
  for (const one of [a, b]) {
    expect(await status(one)).toMatchObject({ pending: 0, lastError: null })
    expect(eventsOf(one.path).filter(([, , , , , , , , , at]) => !isTime(at))).toEqual([])
  }
  for (const one of [a, b]) await one.close()
})

it("whom a root would enrol is not asked of noise", async () => {
  const { a, b, there } = await fleet("a", "b")
  for (const one of [a, b]) withNoise(one.path)
  const joined = unsigned([draft({ type: "MachineJoined", stream: "machine-x", body: {} })])
  slipIn(
    there(),
    joined.map((row) => rewritten(row, { data: "{" })),
  )
  for (const one of [a, b]) await sync(one)
  const found = await b.run(Effect.flatMap(Database, (database) => database.read((c) => candidates(c, signerOf(b)))))
  expect(found).toEqual([])
  for (const one of [a, b]) await one.close()
})
