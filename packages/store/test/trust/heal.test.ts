/** A server that lost what it had, and of which somebody then wrote something else under the same ids. */
import { createClient } from "@libsql/client/http"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { expect, it } from "vitest"
import { Database } from "../../src/Database.js"
import { columns, type EventRow } from "../../src/record.js"
import { remoteLog } from "../../src/sync/http.js"
import { withNoise } from "../support/audited.js"
import { placed, rewritten } from "../support/forger.js"
import {
  beginLog,
  eventsOf,
  give,
  heal,
  type Machine,
  machine,
  rowsHash,
  status,
  sync,
  verify,
} from "../support/machines.js"
import { startSqld } from "../support/sqld.js"

const forgeries: Readonly<Record<string, (row: EventRow) => EventRow>> = {
  unsigned: (row) => rewritten(row, { data: row[6].replace("beta", "evil"), signature: null }),
  "under its signature": (row) => rewritten(row, { data: row[6].replace("beta", "evil") }),
  "under its digest, too": (row) => rewritten(row, { data: row[6].replace("beta", "evil"), signature: null, salt: null, digest: null }), // biome-ignore format: one line
}

it.each(Object.keys(forgeries))(
  "heal keeps what was acknowledged where the server has the same ids, %s",
  { timeout: 60_000 },
  async (how) => {
    const sqld = await startSqld()
    const [a, b, c] = ["a", "b", "c"].map((name) => machine(name, remoteLog({ url: sqld.url, token: sqld.token() }))) as [Machine, Machine, Machine] // biome-ignore format: one line
    await beginLog(a, b, c)
    for (const one of [a, b, c]) withNoise(one.path)
    await give(a, (r) => r.servers.add({ name: "alpha" }))
    for (const one of [a, b]) await sync(one)
    await sqld.kill()
    sqld.save("older")
    await sqld.start()
    await give(b, (r) => r.servers.add({ name: "beta" }))
    await sync(b)
    await sync(a)
    const own = eventsOf(b.path).find((row) => row[6].includes('"beta"')) as EventRow
    await sqld.kill()
    sqld.restore("older")
    await sqld.start()
    // The older state is what c has: the forged event goes after it.
    await sync(c)
    const forge = forgeries[how] as (typeof forgeries)[string]
    const [row] = await c.run(Effect.flatMap(Database, (database) => database.read((found) => placed(found, [forge(own)])))) as [EventRow] // biome-ignore format: one line
    const client = createClient({ url: sqld.url, authToken: Redacted.value(sqld.token()) })
    const marks = columns.split(",").map(() => "?")
    await client.execute({ sql: `INSERT INTO events (${columns}) VALUES (${marks.join(", ")})`, args: [...row] })
    for (const one of [b, a, b, a]) await heal(one)
    await sync(c)
    for (const one of [a, b, c]) {
      const log = eventsOf(one.path)
      expect(rowsHash(one.path)).toBe(rowsHash(a.path))
      expect(log).toEqual(eventsOf(a.path))
      // What was acknowledged is there, signed, as it was written; what was forged is named and counts for nothing.
      const kept = log.filter((found) => found[6] === own[6] && found[11] !== null)
      expect(kept.length).toBe(1)
      const told = await status(one)
      expect(told).toMatchObject({ inert: 1, pending: 0 })
      expect(told.inertEvents[0]).toMatchObject({ position: row[0], type: "ServerAdded" })
      const report = await verify(one)
      expect(report.findings.map(({ kind, position }) => [kind, position])).toEqual([["inert", row[0]]])
    }
    for (const one of [a, b, c]) await one.close()
    await sqld.close()
  },
)
