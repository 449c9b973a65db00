/** A refused command is told, whatever it holds, and whatever those may be called that stood in its way. */
import { expect, it } from "vitest"
import { uuid } from "../support/events.js"
import { fleet } from "../support/fleet.js"
import { draft, placed, signed, slipIn } from "../support/forger.js"
import {
  add,
  eventsOf,
  give,
  heal,
  machines,
  rejected,
  rowsHash,
  servers,
  signerOf,
  sync,
} from "../support/machines.js"

it("a server that cannot go, for services whose names are a megabyte each", async () => {
  const { a, b, rootId, there, thief } = await fleet("a", "b", "thief")
  await add(a, "s")
  await give(a, (r) => r.services.add({ name: "v", server: "s" }))
  for (const one of [a, b, thief]) await sync(one)
  const service = JSON.parse(eventsOf(a.path).find((row) => row[4] === "ServiceAdded")?.[6] ?? "")
  for (const name of ["p", "q"]) {
    const stream = `service-${uuid()}`
    for (const [type, body] of [
      ["ServiceAdded", { ...service, name }],
      ["ServiceRenamed", { from: name, to: name.repeat(3_000_000) }],
    ] as const)
      slipIn(there(), placed(there(), signed([draft({ stream, type, body })], signerOf(thief), rootId)))
  }
  // Offline, so that it knows of none of them.
  await give(b, (r) => r.services.remove("s/v"))
  await give(b, (r) => r.servers.remove("s"))
  await add(b, "other")
  const { rejected: told } = await sync(b)
  expect(told.map(({ reason }) => reason)).toEqual([expect.stringContaining('"s" is still used by service')])
  expect(told[0]?.reason.length).toBeLessThan(2_000)
  await sync(a)
  expect(await rejected(a)).toHaveLength(1)
  for (const one of [a, b]) expect(await servers(one)).toEqual(["other", "s"])
  expect(rowsHash(b.path)).toBe(rowsHash(a.path))
  for (const one of [a, b, thief]) await one.close()
})

it.each(["ServerAdded", "RouteUpdated", "DeploymentRolledBack"])(
  "a command that holds a %s in a shape that only a newer version knows, from a machine that was revoked meanwhile",
  async (type) => {
    const { a, b, c, rootId, save, there, thief } = await fleet("a", "b", "c", "thief")
    await add(a, "s")
    for (const one of [a, b, c, thief]) await sync(one)
    const putBack = save()
    const stream = `${{ ServerAdded: "server", RouteUpdated: "route" }[type] ?? "service"}-${uuid()}`
    const unit = signed([draft({ stream, type, schema: 7, body: null }), draft()], signerOf(thief), rootId)
    slipIn(there(), placed(there(), unit))
    for (const one of [b, c]) await sync(one)
    putBack()
    await sync(a)
    await machines(a, (service) => service.revoke(signerOf(thief).id))
    await sync(a)
    for (const one of [c, b]) await heal(one)
    for (const one of [a, b, c]) {
      await sync(one)
      expect(await servers(one)).toEqual(["s"])
      expect((await rejected(one)).map(({ what }) => what)).toEqual([
        `"${type}@7 (not known to this version)" (and 1 more)`,
      ])
      expect(rowsHash(one.path)).toBe(rowsHash(a.path))
    }
    for (const one of [a, b, c, thief]) await one.close()
  },
)
