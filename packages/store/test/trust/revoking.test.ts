/** An admin machine that takes the right to write from itself, and the last one that cannot. */
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import { enrol } from "../support/enrolment.js"
import { beginLog, give, type Machine, machine, machines, signerOf, status, sync, verify } from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"

const add = (of: Machine, name: string) => give(of, (r) => r.servers.add({ name }))
const failure = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => Effect.flip(service.now())))

it("an admin that revokes itself is revoked for everybody; what it writes after that waits", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [a, b] = [machine("a", remote), machine("b", remote)]
  await beginLog(a, b)
  await a.run(enrol(signerOf(b), "admin"))
  for (const one of [a, b]) await sync(one)
  await add(b, "other")
  await sync(b)
  await add(a, "before")
  await machines(a, (service) => service.revoke(signerOf(a).id))
  await add(a, "after")
  expect(await failure(a)).toMatchObject({ reason: "not-enrolled", message: expect.stringContaining("was revoked") })
  expect(await status(a)).toMatchObject({ enrolment: "revoked", pending: 1 })
  await sync(b)
  const { machines: known } = await machines(b, (service) => service.list)
  expect(known).toContainEqual(expect.objectContaining({ machineId: signerOf(a).id, status: "revoked" }))
  for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
  for (const one of [a, b]) await one.close()
})

it("the last admin cannot be revoked, and it is said what makes another one first", async () => {
  const a = machine("a", undefined)
  const b = machine("b", undefined)
  await beginLog(a, b)
  const refused = await machines(a, (service) => Effect.flip(service.revoke(signerOf(a).id)))
  expect(refused.message).toContain("the last admin machine")
  expect(refused.message).toContain("--admin")
  expect((await machines(a, (service) => service.list)).machines.every((one) => one.status === "enrolled")).toBe(true)
  for (const one of [a, b]) await one.close()
})
