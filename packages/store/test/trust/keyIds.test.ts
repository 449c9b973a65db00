/** A machine's id is made of its key. Who may write can make no key known under an id that is another's, or no key's at all. */
import { machinesStream } from "@context-engine/core/domain/Machine"
import { describe, expect, it } from "vitest"
import { withNoise } from "../support/audited.js"
import { fleet } from "../support/fleet.js"
import { draft, placed, signed, slipIn, stranger } from "../support/forger.js"
import { add, machines, signerOf, sync, verify } from "../support/machines.js"

const ghost = stranger("ghost")

const kinds = {
  "a machine that joined by its own word": {
    by: "b",
    stream: "machine-x",
    type: "MachineJoined",
    body: { machineId: "0123456789abcdef", name: "ghost", publicKey: "AAAA" },
  },
  "a machine that joined by its own word, with a key": {
    by: "b",
    stream: "machine-x",
    type: "MachineJoined",
    body: { machineId: "0123456789abcdef", name: "ghost", publicKey: ghost.publicKey },
  },
  "a machine that an admin enrolled": {
    by: "a",
    stream: machinesStream,
    type: "MachineEnrolled",
    body: { machineId: "0123456789abcdef", name: "ghost", publicKey: ghost.publicKey, role: "member" },
  },
} as const

describe("an id that is not its key's", () => {
  it.each(Object.entries(kinds))("counts for nothing: %s", async (_, { by, ...event }) => {
    const { there, rootId, ...machinesOf } = await fleet("a", "b", "c")
    const { a, b, c } = machinesOf
    for (const one of [a, b, c]) withNoise(one.path)
    await add(a, "alpha")
    for (const one of [a, b, c]) await sync(one)
    slipIn(there(), placed(there(), signed([draft(event)], signerOf(machinesOf[by]), rootId)))
    for (const one of [a, b, c]) await sync(one)
    expect((await machines(c, (service) => service.list)).machines.map(({ name }) => name)).toEqual(["a", "b", "c"])
    await machines(a, (service) => service.acknowledge(true))
    for (const one of [a, c]) await sync(one)
    for (const one of [a, c]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    for (const one of [a, b, c]) await one.close()
  })
})
