/** A process that cannot sign, on a machine that did: what waits there is left as it is until one that can. */
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import { add, beginLog, eventsOf, machine, rejected, servers, sync, verify } from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"

it("says of nothing that it could not stand, for that would be signed by nobody", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [a, before] = [machine("a", remote), machine("b", remote)]
  await beginLog(a, before)
  for (const one of [a, before]) await sync(one)
  await add(a, "taken")
  await sync(a)
  for (const name of ["taken", "free"]) await add(before, name)
  await before.close()
  const waiting = eventsOf(before.path)
  const keyless = machine("b", remote, { path: before.path, signed: false })
  const failed = await keyless.run(Effect.flatMap(Sync, (service) => Effect.flip(service.now())))
  expect(failed).toMatchObject({ reason: "not-enrolled", message: expect.stringContaining("CONTEXT_KEY=off") })
  await keyless.close()
  expect(eventsOf(before.path)).toEqual(waiting)

  const b = machine("b", remote, { path: before.path })
  for (const one of [b, a]) await sync(one)
  for (const one of [a, b]) {
    expect(await servers(one)).toEqual(["free", "taken"])
    expect(await rejected(one)).toMatchObject([{ what: expect.stringContaining("taken"), status: "open" }])
    expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
  }
  for (const one of [a, b]) await one.close()
})
