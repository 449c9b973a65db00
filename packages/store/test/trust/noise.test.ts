/** Whoever has the token can append any number of events that count for nothing. They hide nothing else that is to be told. */
import { isOfWaitingRoot } from "@context-engine/core/domain/Membership"
import { expect, it } from "vitest"
import { damaged, withNoise } from "../support/audited.js"
import { withSqlite } from "../support/files.js"
import { fleet } from "../support/fleet.js"
import { draft, slipIn, unsigned } from "../support/forger.js"
import { add, attempt, machines, sync, verify } from "../support/machines.js"

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
