/** A member's key is stolen, and the thief signs what stops everybody. SECURITY.md says what leads on; this is it, step by step. */
import { describe, expect, it } from "vitest"
import { insertRows } from "../../src/append.js"
import type { EventRow } from "../../src/record.js"
import { fleet } from "../support/fleet.js"
import { draft, placed, rewritten, signed } from "../support/forger.js"
import { add, failure, heal, machines, servers, signerOf, status, sync, verify } from "../support/machines.js"

const thefts: Readonly<Record<string, (row: EventRow) => EventRow>> = {
  "other data than its digest stands for": (row) => rewritten(row, { data: "{}", digest: row[13] }),
  "a hash that is not its own": (row) => row.with(10, "ab".repeat(32)) as unknown as EventRow,
}

describe("a thief with a member's key", () => {
  it.each(Object.entries(thefts))(
    "signs %s: an empty database leads on, without it and without the thief",
    async (_, change) => {
      const { a, b, c, rootId, there } = await fleet("a", "b", "c")
      await add(a, "alpha")
      for (const one of [a, b, c]) await sync(one)
      const [row] = placed(there(), signed([draft()], signerOf(b), rootId))
      insertRows(there(), [change(row as EventRow)])
      await machines(a, (service) => service.revoke("b"))
      await add(c, "gamma")
      for (const one of [a, c]) {
        // It may be the server as well, or whose key it is: both are named.
        expect(await failure(one)).toMatchObject({ reason: "protocol", message: expect.stringContaining("whoever has the key of b wrote it so") }) // biome-ignore format: one line
      }
      there().exec("DROP TABLE events; DROP TABLE log")
      for (const one of [a, c, a]) await heal(one)
      for (const one of [a, c]) {
        expect(await servers(one)).toEqual(["alpha", "gamma"])
        expect((await machines(one, (service) => service.list)).machines.find(({ name }) => name === "b")?.status).toBe(
          "revoked",
        )
        expect(await status(one)).toMatchObject({ pending: 0, lastError: null })
        expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
      }
      for (const one of [a, b, c]) await one.close()
    },
  )
})
