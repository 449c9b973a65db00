/** A log whose end was cut off in its file: nothing lets that be forgotten unsaid. */
import { Audit } from "@context-engine/core/services/Audit"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { released } from "./durability/verify.js"
import { freshPath, withSqlite } from "./support/files.js"
import { addServers, inLog, serverNames, verify } from "./support/live.js"

const cut = async () => {
  const path = freshPath()
  await inLog(path, addServers("alpha", "beta", "gamma"))
  await released(path)
  withSqlite(path, (database) => {
    const [{ sql }] = database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'events_no_delete'").all()
    database.exec(`DROP TRIGGER events_no_delete; DELETE FROM events WHERE position > 2; ${sql}`)
  })
  return path
}

const rebuild = Effect.flatMap(Maintenance, (care) => care.rebuild())
const accept = Effect.flatMap(Audit, (of) => of.accept)
const loss = Effect.flatMap(Audit, (of) => of.loss)
const lacks = "this file lacks its last events: it ends at position 2, and its tables are those of position 3"

const isTold = async (path: string) => {
  expect(await inLog(path, loss)).toMatchObject({ message: `${path}: ${lacks}`, position: 3 })
  expect(await inLog(path, verify)).toMatchObject({ ok: false })
  await expect(inLog(path, addServers("delta"))).rejects.toThrow(lacks)
}

it("is not made to fit its rows by a rebuild, which says what leads on", async () => {
  const path = await cut()
  await isTold(path)
  await expect(inLog(path, rebuild)).rejects.toThrow(
    `${lacks}. Nothing was written; context infra restore <backup> has them, or context infra audit accept goes on with what is there`,
  )
  await isTold(path)
  await inLog(path, accept)
  expect(await inLog(path, loss)).toBeNull()
  expect(await inLog(path, rebuild)).toMatchObject({ events: 2, differing: 0 })
  await inLog(path, addServers("delta"))
  expect(await inLog(path, serverNames)).toEqual(["alpha", "beta", "delta"])
})

it("is told also when a newer version has built its rows anew", async () => {
  const path = await cut()
  withSqlite(path, (database) => database.exec("UPDATE projections SET version = 0 WHERE name = 'servers'"))
  // Opened by this version, it has the rows of what is there.
  expect(await inLog(path, serverNames)).toEqual(["alpha", "beta"])
  await isTold(path)
  await inLog(path, accept)
  await inLog(path, addServers("delta"))
  expect(await inLog(path, serverNames)).toEqual(["alpha", "beta", "delta"])
})
