/** An event's digest covers its salt and its data, one after the other. Whoever may write there cannot move the border between them. */
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { attempt, failure, machines, sync } from "../support/machines.js"
import { heal, invite, shared, tamper, timeout } from "../support/tampered.js"

const last = "(SELECT max(position) FROM events)"
const moves: Readonly<Record<string, string>> = {
  "a character of the salt to the data": "salt = substr(salt, 1, length(salt) - 1), data = substr(salt, -1) || data",
  "a character of the data to the salt": "salt = salt || substr(data, 1, 1), data = substr(data, 2)",
  "all of the data to the salt": "salt = salt || data, data = ''",
  "all of the salt to the data": "salt = '', data = salt || data",
}

describe("the border between the salt and the data of a revocation", () => {
  it.each(Object.entries(moves))(
    "is not moved by %s",
    async (_, set) => {
      const world = await shared()
      const { a, another, client } = world
      const code = await invite(a)
      await sync(a)
      const c = another("c")
      await c.run(Effect.flatMap(Sync, (service) => service.now({ invite: code })))
      await sync(a)
      await machines(a, (service) => service.revoke("b"))
      await sync(a)
      await tamper(client, `UPDATE events SET ${set} WHERE position = ${last}`, true)
      // It is neither taken for what it was nor for nothing: it is not what was written.
      expect(await failure(c)).toMatchObject({ reason: "protocol", message: expect.stringContaining("not the data that was written") }) // biome-ignore format: one line
      expect(await statusOf(c, "b")).toBe("enrolled")
      await heal(a)
      expect(await attempt(c)).toMatchObject({ _tag: "Right" })
      expect(await statusOf(c, "b")).toBe("revoked")
    },
    timeout,
  )
})

const statusOf = async (of: Parameters<typeof machines>[0], name: string) =>
  (await machines(of, (service) => service.list)).machines.find((one) => one.name === name)?.status
