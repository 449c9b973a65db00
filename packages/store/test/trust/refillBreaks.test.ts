/** A heal of many events that breaks off in the middle: what was written stays, and the next one writes the rest. */
import { SyncError } from "@context-engine/core/Errors"
import { expect, it } from "vitest"
import { expectedSchema } from "../../src/schema.js"
import { type Batch, make } from "../../src/sync/RemoteLog.js"
import { beginLog, give, machine, sync } from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"
import { heal, healedNotes, refusal } from "../support/tampered.js"

it("writes in pages, each a transaction of its own", { timeout: 60_000 }, async () => {
  const { batch, connection } = makeSequencer()
  const pages: Array<number> = []
  let broken = Number.POSITIVE_INFINITY
  const watched: Batch = (statements, mode) => {
    const rows = statements.find(({ sql }) => mode === "write" && sql.startsWith("INSERT INTO events"))
    if (rows !== undefined && statements.some(({ sql }) => sql.startsWith("DROP TRIGGER"))) {
      if (pages.length >= broken) return new SyncError({ reason: "offline", message: "the line is cut" })
      pages.push(JSON.parse(String(rows.args[0])).length)
    }
    return batch(statements, mode)
  }
  const a = machine("a", make("memory", watched))
  await beginLog(a)
  for (let i = 0; i < 1_199; i++) await give(a, (r) => r.servers.add({ name: `server-${i}` }))
  await sync(a)
  for (const name of ["events_no_update", "events_no_delete"]) connection.exec(`DROP TRIGGER ${name}`)
  connection.exec("DELETE FROM events WHERE position < 1101")
  broken = 1
  expect(await refusal(a)).toMatchObject({ reason: "offline" })
  const there = () => connection.prepare("SELECT count(*) FROM events").get()[0]
  const guards = () => connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all().length
  expect([there(), guards()]).toEqual([600, expectedSchema.size - 1])
  broken = Number.POSITIVE_INFINITY
  await heal(a)
  expect(pages).toEqual([500, 500, 100])
  expect([there(), guards()]).toEqual([1_200, expectedSchema.size - 1])
  expect(await healedNotes(a)).toEqual([expect.stringContaining("600 events that were gone are back")])
})
