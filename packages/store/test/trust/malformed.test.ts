/** Data that is no JSON, under every type there is: what looks for something in events' data or meta never comes to it. */
import { definitions } from "@context-engine/core/domain/Events"
import { expect, it } from "vitest"
import { withNoise } from "../support/audited.js"
import { uuid } from "../support/events.js"
import { fleet } from "../support/fleet.js"
import { draft, rewritten, slipIn, unsigned } from "../support/forger.js"
import { add, attempt, heal, machines, servers, status, sync, verify } from "../support/machines.js"

it("noise of every type stands in the log of a server that was put back, and all machines heal it", async () => {
  const { a, b, c, save, there } = await fleet("a", "b", "c")
  const all = [a, b, c]
  for (const one of all) withNoise(one.path)
  for (const [type, { schema }] of definitions)
    for (const over of [{ data: "{" }, { meta: "}" }, { data: "{", meta: "}" }])
      slipIn(
        there(),
        unsigned([draft({ type, schema, stream: `x-${uuid()}` })]).map((row) => rewritten(row, over)),
      )
  for (const one of all) await sync(one)
  const putBack = save()
  for (const name of ["x", "y", "z"]) await add(b, name)
  for (const one of [b, c]) await sync(one)
  putBack()
  for (const name of ["x", "y"]) await add(a, name)
  await sync(a)
  // What b wrote is put back by c first, which refuses two of three: then b looks for what became of its own.
  for (const one of [c, b, a]) await heal(one)
  for (const one of [c, b, a]) expect(await attempt(one)).toMatchObject({ _tag: "Right" })
  for (const one of all) {
    expect(await servers(one)).toEqual(["x", "y", "z"])
    expect(await status(one)).toMatchObject({ pending: 0, lastError: null })
  }
  await machines(a, (service) => service.acknowledge(true))
  for (const one of all) await sync(one)
  for (const one of all) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
  for (const one of all) await one.close()
})
