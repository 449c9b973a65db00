/** A file whose end was cut off: nothing is written in the place of what is gone, and the next exchange brings it back. */
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import * as SqlMaintenance from "../../src/SqlMaintenance.js"
import { damaged } from "../support/audited.js"
import { withSqlite } from "../support/files.js"
import { fleet } from "../support/fleet.js"
import { add, attempt, type Machine, rowsHash, servers, status, sync, verify } from "../support/machines.js"

/** Takes the last events out of a file, as any SQLite program can that does not keep to its triggers. */
const cut = async ({ path }: Machine, events: number) =>
  withSqlite(path, (file) => {
    const found = file.prepare("SELECT sql FROM sqlite_schema WHERE name = 'events_no_delete'").get() as { sql: string }
    file.exec("DROP TRIGGER events_no_delete")
    file.exec(`DELETE FROM events WHERE position > (SELECT max(position) FROM events) - ${events}`)
    file.exec(found.sql)
  })

describe("the end of a file that is shared, cut off", () => {
  it.each([1, 2, 3])("comes back with the next exchange: %i events", async (events) => {
    const { a, b } = await fleet("a", "b")
    for (const name of ["one", "two", "three"]) await add(a, name)
    for (const one of [a, b]) await sync(one)
    await add(b, "theirs")
    await sync(b)
    await cut(a, events)
    expect(await status(a)).toMatchObject({ pending: 0 })
    const written = await add(a, "four")
    expect(written).toMatchObject({
      _tag: "Left",
      left: { message: expect.stringContaining("sync now brings them back") },
    })
    expect(await attempt(a)).toMatchObject({ _tag: "Right" })
    expect(await servers(a)).toEqual(["one", "theirs", "three", "two"])
    await add(a, "four")
    for (const one of [a, b]) await sync(one)
    for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true, findings: [], inert: 0 })
    expect(rowsHash(a.path)).toBe(rowsHash(b.path))
    for (const one of [a, b]) await one.close()
  })

  it("that it had not shared is not written over: a person goes on without it, and nobody misses anything", async () => {
    const { a, b } = await fleet("a", "b")
    await add(a, "one")
    await sync(a)
    for (const name of ["two", "three"]) await add(a, name)
    await cut(a, 1)
    const refused = await add(a, "four")
    expect(refused).toMatchObject({ _tag: "Left", left: { message: expect.stringContaining("context infra rebuild") } })
    const rebuilt = Effect.flatMap(Maintenance, (care) => care.rebuild())
    await a.run(Effect.provide(rebuilt, SqlMaintenance.layer))
    await add(a, "four")
    for (const one of [a, b]) await sync(one)
    for (const one of [a, b]) {
      expect(await servers(one)).toEqual(["four", "one", "two"])
      expect(await verify(one)).toMatchObject({ ok: true, findings: [], inert: 0 })
      expect((await status(one)).breaks).toEqual([])
      await one.close()
    }
  })

  it("ends no exchange in a circle where the shared log lacks it, too", async () => {
    const { a, b, save } = await fleet("a", "b")
    await add(a, "one")
    await sync(a)
    const putBack = save()
    await add(a, "two")
    await sync(a)
    damaged(a.path)
    await cut(a, 1)
    putBack()
    const ended = await attempt(a)
    expect(ended).toMatchObject({ _tag: "Left", left: { reason: "rolled-back" } })
    for (const one of [a, b]) await one.close()
  })
})
