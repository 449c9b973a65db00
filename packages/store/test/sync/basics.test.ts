import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import { eventsOf, give, machine, rowsHash, status, sync, verify } from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"

const shared = () => make("memory", makeSequencer().batch)

describe("two machines and a shared log", () => {
  it("have the same log and the same rows after both synchronised", async () => {
    const remote = shared()
    const a = machine("a", remote)
    const b = machine("b", remote)
    await give(a, (r) => r.servers.add({ name: "alpha" }))
    expect(await sync(a)).toMatchObject({ pushed: 2, pulled: 0, pending: 0, skipped: false })
    expect(await sync(b)).toMatchObject({ pushed: 0, pulled: 2 })
    await give(b, (r) => r.services.add({ name: "api", server: "alpha" }))
    await give(a, (r) => r.servers.add({ name: "beta" }))
    expect(await status(b)).toMatchObject({ pending: 2, confirmed: 2 })
    expect(await sync(b)).toMatchObject({ pushed: 2 })
    expect(await sync(a)).toMatchObject({ pushed: 1, pulled: 2, moved: 1, rejected: [] })
    expect(await sync(b)).toMatchObject({ pulled: 1 })
    expect(eventsOf(a.path)).toEqual(eventsOf(b.path))
    expect(rowsHash(a.path)).toBe(rowsHash(b.path))
    for (const one of [a, b])
      expect(await verify(one)).toMatchObject({ ok: true, findings: [], unsigned: 0, events: 5 })
  })

  it("refuse the second of two that took one name, and say so in the log", async () => {
    const remote = shared()
    const a = machine("a", remote)
    const b = machine("b", remote)
    await sync(a)
    await sync(b)
    await give(a, (r) => r.servers.add({ name: "alpha" }))
    await give(b, (r) => r.servers.add({ name: "alpha" }))
    await give(b, (r) => r.services.add({ name: "api", server: "alpha" }))
    await sync(a)
    const report = await sync(b)
    expect(report.rejected).toMatchObject([
      { outcome: "refused", what: '"server alpha added"', reason: 'server "alpha" already exists' },
      { outcome: "refused", what: '"service api added"' },
    ])
    await sync(a)
    expect(rowsHash(a.path)).toBe(rowsHash(b.path))
    expect(await status(a)).toMatchObject({ rejected: 2, pending: 0 })
    for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true, findings: [], unsigned: 0 })
    const rejected = await a.run(Effect.flatMap(Sync, (service) => service.rejected))
    expect(rejected).toMatchObject([{ status: "open", machine: "b" }, { status: "open" }])
    const first = rejected.find((row) => row.what.includes("alpha"))!
    await expect(a.run(Effect.flatMap(Sync, (service) => service.retry(first.id)))).rejects.toThrow(/already exists/)
    await give(a, (r) => r.servers.rename("alpha", "omega"))
    expect(await a.run(Effect.flatMap(Sync, (service) => service.retry(first.id)))).toMatchObject({ status: "retried" })
    const other = rejected.find((row) => row.id !== first.id)!
    expect(await a.run(Effect.flatMap(Sync, (service) => service.drop(other.id)))).toMatchObject({ status: "dropped" })
    await sync(a)
    await sync(b)
    expect(rowsHash(a.path)).toBe(rowsHash(b.path))
    expect(await verify(b)).toMatchObject({ ok: true, findings: [], unsigned: 0 })
    expect(await status(b)).toMatchObject({ rejected: 0 })
  })
})
