/** The rows of a view, asked for by values: as many as there are. */
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { uuid } from "./support/events.js"
import { add, eventsOf, give, machine, servers, verify } from "./support/machines.js"

const many = 2_000

it("a server is removed with everything on it, however much that is", async () => {
  const one = machine("a", undefined)
  await add(one, "alpha")
  await give(one, (r) => r.services.add({ name: "s", server: "alpha" }))
  const added = JSON.parse(eventsOf(one.path).find((row) => row[4] === "ServiceAdded")?.[6] as string)
  const meta = { actor: "a", via: "library" as const, machine: "a", commandId: uuid() }
  const appends = Array.from({ length: many }, (_, index) => {
    const data = { ...added, name: `s${index}` }
    const event = { id: uuid(), type: "ServiceAdded", schema: 1, data, meta, occurredAt: new Date().toISOString() }
    return { stream: `service-${uuid()}`, expected: 0, events: [event] }
  })
  await one.run(Effect.flatMap(EventLog, (log) => log.append(appends)))
  const count = (where: object) =>
    one.run(Effect.flatMap(ReadModels, (models) => Effect.map(models.services.list({ where }), (rows) => rows.length)))
  const names = appends.map((_, index) => `s${index}`)
  expect(await count({ name: names, port: null })).toBe(many)
  expect(await count({ name: names, port: [null, 80] })).toBe(many)
  expect(await count({ name: names.slice(0, 3), port: [80, 81] })).toBe(0)
  expect(await count({ name: [] })).toBe(0)
  expect(await give(one, (r) => r.servers.remove("alpha", { cascade: true }))).toMatchObject({ _tag: "Right" })
  expect(await servers(one)).toEqual([])
  expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
  await one.close()
})
