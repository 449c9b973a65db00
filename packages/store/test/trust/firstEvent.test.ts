/** The root stands first. A server that makes noise of it makes no log without a root of the rest. */
import { describe, expect, it } from "vitest"
import { withNoise } from "../support/audited.js"
import { fleet } from "../support/fleet.js"
import { draft, slipIn, unsigned } from "../support/forger.js"
import { add, failure, machine, servers, sync } from "../support/machines.js"

const changes: Readonly<Record<string, string>> = {
  "a blank after its data": "data = data || ' '",
  "a character of its salt": "salt = iif(salt LIKE 'x%', 'y', 'x') || substr(salt, 2)",
  "a longer salt": "salt = salt || 'x'",
  "no data": "data = ''",
  "other data": "data = '{}'",
  "data that is no JSON": "data = '{'",
  "no meta": "meta = ''",
  "meta that says nothing": "meta = '{}'",
  "a time that is none": "occurred_at = 'yesterday'",
  "another type": "type = 'ServerAdded'",
  "a type that nobody knows": "type = 'MoonLanded'",
  "no type": "type = ''",
  "another stream": "stream = 'server-x'",
  "a shape of later": "schema = 99",
  "no signature": "signature = NULL",
  "no digest": "digest = NULL",
  "neither salt nor digest": "salt = NULL, digest = NULL",
}

describe("a newcomer that is shown the first event", () => {
  it.each(Object.entries(changes))("with %s takes over nothing", async (_, set) => {
    const { a, remote, there } = await fleet("a")
    withNoise(a.path)
    await add(a, "one")
    await sync(a)
    const triggers = there().prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all()
    for (const [name] of triggers) there().exec(`DROP TRIGGER ${name}`)
    there().exec(`UPDATE events SET ${set} WHERE position = 1`)
    for (const [, sql] of triggers) there().exec(sql as string)
    slipIn(there(), unsigned([draft()]))
    await sync(a)
    const newcomer = machine("new", remote)
    expect(await failure(newcomer)).toMatchObject({ reason: "protocol" })
    expect(await servers(newcomer)).toEqual([])
    for (const one of [a, newcomer]) await one.close()
  })
})
