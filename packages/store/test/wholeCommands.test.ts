/** A moment in the middle of what one command did: none of it is shown, by every way to ask, and a replay of it holds. */
import type { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import * as AsOf from "@context-engine/core/services/AsOf"
import { Audit } from "@context-engine/core/services/Audit"
import { History } from "@context-engine/core/services/History"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect, it } from "vitest"
import { layer } from "../src/layer.js"
import * as SqlAudit from "../src/SqlAudit.js"
import { freshPath } from "./support/files.js"
import { fleet } from "./support/fleet.js"
import { add, eventsOf, give, type Machine, machine, sync } from "./support/machines.js"

const rows = Effect.flatMap(ReadModels, (models) =>
  Effect.all([models.servers.list(), models.services.list(), models.infraEvents.list()]),
)
type Rows = Effect.Effect.Success<typeof rows>

const past = (of: Machine, moment: string, by: AsOf.Clock = "happened") =>
  of.run(Effect.provide(rows, AsOf.layer(moment, { by })) as Effect.Effect<Rows, unknown, EventLog>)

/** What a replay of that moment shows, which must hold, and up to where it goes. */
const replayed = async (of: Machine, moment: string) => {
  const into = freshPath()
  const until = await of.run(Effect.flatMap(Audit, (audit) => audit.replay(moment, into)))
  const look = Effect.all([rows, Effect.flatMap(Audit, (audit) => audit.verify())])
  const all = Layer.provideMerge(SqlAudit.layer, layer(into))
  const [shown, { findings }] = await Effect.runPromise(Effect.provide(look, all))
  expect(findings, `moment ${moment}`).toEqual([])
  return { shown, until }
}

const diffFrom = (of: Machine, from: string, to: string) =>
  of.run(
    Effect.provide(
      Effect.flatMap(History, (history) => history.diff(from, to)),
      History.layer,
    ),
  )

/** What events of one command have in common. */
const units = (of: Machine) => eventsOf(of.path).map((row) => row[11] ?? JSON.parse(row[7]).commandId)

/** Commands of one event each, and two of several. */
const commands = async (of: Machine) => {
  await add(of, "m")
  for (const name of ["s", "t"]) await give(of, (r) => r.services.add({ name, server: "m" }))
  await give(of, (r) => r.servers.remove("m", { cascade: true }))
  await add(of, "n")
  await give(of, (r) => r.services.add({ name: "u", server: "n" }))
  await give(of, (r) => r.servers.remove("n", { cascade: true }))
}

it.each([
  ["signed", { signed: true }],
  ["unsigned", { signed: false }],
])("is the end of the last whole one before it: %s", async (_, how) => {
  const one = machine("one", undefined, how)
  await commands(one)
  const all = units(one)
  expect(new Set(all).size).toBeLessThan(all.length)
  for (let position = 0; position <= all.length; position++) {
    let whole = position
    while (whole > 0 && all[whole - 1] === all[position]) whole -= 1
    const { shown, until } = await replayed(one, `${position}`)
    expect(until).toBe(whole)
    expect(await past(one, `${position}`)).toEqual(shown)
    expect(await past(one, `${position}`, "recorded")).toEqual(shown)
    expect(await past(one, `${whole}`)).toEqual(shown)
    expect((await diffFrom(one, `${position}`, `${all.length}`)).from).toBe(whole)
  }
  await one.close()
})

it("is the same on all machines", async () => {
  const { one, two } = await fleet("one", "two")
  for (const of of [one, two]) await commands(of)
  for (const of of [one, two, one]) await sync(of)
  const last = eventsOf(one.path).length
  expect(new Set(units(one)).size).toBeLessThan(last)
  for (let position = 0; position <= last; position++) {
    const then = await past(one, `${position}`)
    expect(await past(two, `${position}`), `position ${position}`).toEqual(then)
    expect((await replayed(two, `${position}`)).shown, `position ${position}`).toEqual(then)
  }
  for (const of of [one, two]) await of.close()
})
