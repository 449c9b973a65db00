/** Of a unit that this machine wrote, the shared log shows only the beginning: somebody put that there, and the unit is not there. */
import { describe, expect, it } from "vitest"
import { insertRows } from "../../src/append.js"
import type { EventRow } from "../../src/record.js"
import { withNoise } from "../support/audited.js"
import { fleet } from "../support/fleet.js"
import {
  add,
  attempt,
  eventsOf,
  give,
  heal,
  type Machine,
  machines,
  rejected,
  rowsHash,
  servers,
  sync,
  verify,
} from "../support/machines.js"

/** Two machines that know a server with a service, which the first then removes in one unit of two events. */
const removal = async () => {
  const found = await fleet("a", "b")
  const { a, b } = found
  await add(a, "one")
  await give(a, (r) => r.services.add({ name: "api", server: "one" }))
  for (const one of [a, b]) await sync(one)
  for (const one of [a, b]) withNoise(one.path)
  const putBack = found.save()
  return { ...found, putBack, remove: () => give(a, (r) => r.servers.remove("one", { cascade: true })) }
}

const settled = async (...all: ReadonlyArray<Machine>) => {
  for (const one of [...all, ...all]) await attempt(one)
  const [first] = all as [Machine]
  await machines(first, (service) => service.acknowledge(false))
  for (const one of [...all, ...all]) await sync(one)
  for (const one of all) {
    expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    expect(rowsHash(one.path)).toBe(rowsHash(first.path))
    expect(await servers(one)).toEqual(["later"])
    expect(await rejected(one)).toEqual([])
  }
  for (const one of all) await one.close()
}

/** The beginning of what the first machine wrote last. */
const half = ({ path }: Machine): EventRow => {
  const [first, second] = eventsOf(path).slice(-2) as [EventRow, EventRow]
  expect(first[11]).toBe(second[11])
  return first
}

describe("the whole of it stands after that, on every machine", () => {
  it("where it was not pushed yet", async () => {
    const { a, b, remove, there } = await removal()
    await remove()
    insertRows(there(), [half(a)])
    await sync(a)
    await add(b, "later")
    await settled(a, b)
  })

  it("where others go on after it", async () => {
    const { a, b, remove, there } = await removal()
    await remove()
    insertRows(there(), [half(a)])
    await add(b, "later")
    await sync(b)
    await settled(a, b)
  })

  it("where the server was put back to before it", async () => {
    const { a, b, putBack, remove, there } = await removal()
    await remove()
    await sync(a)
    const first = half(a)
    putBack()
    insertRows(there(), [first])
    await attempt(a)
    await heal(a)
    await add(b, "later")
    await settled(a, b)
  })
})
