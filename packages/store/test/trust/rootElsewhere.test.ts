/** Roots that stand where they are in nobody's way for long: in a shared log that was put back, or before the one that is vouched for. */
import { Origin } from "@context-engine/core/Origin"
import { Registry } from "@context-engine/core/services/Registry"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { expect, it } from "vitest"
import { layer } from "../../src/layer.js"
import { prepare } from "../../src/restore.js"
import * as SqlSync from "../../src/sync/SqlSync.js"
import { damaged, withNoise } from "../support/audited.js"
import { freshPath, withSqlite } from "../support/files.js"
import { draft, placed, signed, slipIn, stranger, unsigned } from "../support/forger.js"
import {
  add,
  attempt,
  failure,
  heal,
  type Machine,
  machine,
  machines,
  rowsHash,
  servers,
  status,
  sync,
  trust,
  verify,
} from "../support/machines.js"
import { forgeRoot, type RootlessWorld, rootlessWorld } from "../support/rootless.js"

/** The first machine begins the root of the log, and the second goes by it. */
const beginRoot = async ({ a, b }: RootlessWorld) => {
  await machines(a, (service) => service.beginRoot(true))
  await sync(a)
  await failure(b)
  await trust(b, a)
  for (const one of [b, a]) await sync(one)
}

const turnDown = (of: Machine) => machines(of, (service) => service.acknowledge(true))
const healing = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => Effect.either(service.heal())))

it.each([true, false])(
  "a root on a server that was put back is turned down by each (noise acknowledged before: %s)",
  async (before) => {
    const of = await rootlessWorld(true)
    const { a, b, there } = of
    for (const one of [a, b]) {
      damaged(one.path)
      await attempt(one)
    }
    const putBack = of.save()
    await beginRoot(of)
    slipIn(there(), placed(there(), unsigned([draft()])))
    for (const one of [a, b]) await sync(one)
    if (before) {
      expect(await machines(a, (service) => service.acknowledge(false))).toBe(1)
      for (const one of [a, b]) await sync(one)
    }
    await add(a, "gamma")
    putBack()
    forgeRoot(of, stranger("x"))
    for (const one of [a, b]) {
      expect(await healing(one)).toMatchObject({ left: { reason: "new-root" } })
      expect((await status(one)).roots).toMatchObject([{ name: "x" }])
      expect((await machines(one, (service) => service.list)).pendingRoots).toMatchObject([{ name: "x" }])
      // A member says so of its own machine, whatever waits for an admin's word beside it; an admin says both at once.
      expect(await turnDown(one)).toBe(one === a && !before ? 2 : 1)
      expect((await status(one)).roots).toEqual([])
    }
    for (const one of [a, b, a]) await heal(one)
    for (const one of [b, a]) await sync(one)
    for (const one of [a, b]) expect(await servers(one)).toEqual(["alpha", "beta", "gamma"])
    expect(rowsHash(b.path)).toBe(rowsHash(a.path))
    for (const one of [a, b]) await one.close()
  },
)

it("a root before the one that an invite or a job's key vouches for stops neither", async () => {
  const of = await rootlessWorld(true)
  const { a, b, remote } = of
  for (const one of [a, b]) {
    withNoise(one.path)
    await attempt(one)
  }
  for (const name of ["x", "y"]) forgeRoot(of, stranger(name))
  for (const one of [a, b]) {
    await failure(one)
    await turnDown(one)
    await attempt(one)
  }
  await beginRoot(of)
  const { key } = await machines(a, (service) => service.add("ci", "member"))
  const expiresAt = "2999-01-01T00:00:00.000Z"
  const { code } = await machines(a, (service) => service.invite({ role: "member", uses: 1, expiresAt }))
  await sync(a)
  for (let run = 0; run < 2; run += 1) expect(await serversOfJob(of, key)).toEqual(["alpha", "beta"])
  const n = machine("n", remote)
  withNoise(n.path)
  await n.run(Effect.flatMap(Sync, (service) => service.now({ invite: code })))
  expect(await status(n)).toMatchObject({ enrolment: "enrolled", lastError: null })
  await add(n, "gamma")
  await turnDown(a)
  for (const one of [n, a, b, n]) await sync(one)
  for (const one of [a, b, n]) {
    expect(await servers(one)).toEqual(["alpha", "beta", "gamma"])
    expect((await status(one)).roots).toEqual([])
  }
  for (const one of [a, b, n]) await one.close()
})

/** What a job sees, which keeps nothing and has its key in its environment. */
const serversOfJob = async ({ remote }: RootlessWorld, key: string) => {
  const path = withNoise(freshPath())
  const sync = SqlSync.layer({ keyPath: key, remote, keepsNothing: true })
  const runtime = ManagedRuntime.make(
    Layer.mergeAll(Registry.layer, sync).pipe(Layer.provideMerge(layer(path, { keyPath: key }))),
  )
  const all = Effect.gen(function* () {
    yield* (yield* Sync).now()
    return (yield* (yield* Registry).servers.list()).map(({ name }) => name).toSorted()
  })
  const found = await runtime.runPromise(Effect.provideService(all, Origin, { actor: "ci", via: "library", machine: "ci" })) // biome-ignore format: one call
  await runtime.dispose()
  return found
}

it("what a stranger signed before there was a root is as good as unsigned: the log holds, and its backup can be restored", async () => {
  const of = await rootlessWorld(true)
  const { a, there } = of
  for (const one of [a, of.b]) await attempt(one)
  slipIn(there(), placed(there(), signed([draft()], stranger("x"), "")))
  await attempt(a)
  expect(await verify(a)).toMatchObject({ ok: true, findings: [], signed: 4, unsigned: 1 })
  const [backup, to] = [freshPath(), freshPath()]
  withSqlite(a.path, (database) => database.exec(`VACUUM INTO '${backup}'`))
  const prepared = Effect.flatMap(prepare(backup, to), (found) => Effect.as(found.place, found))
  expect(await Effect.runPromise(Effect.scoped(prepared))).toMatchObject({ problems: [], differing: 0 })
  for (const one of [a, of.b]) await one.close()
})

it("where one root was turned down and another waits, what leads on is that person's word, and no other root", async () => {
  const of = await rootlessWorld(true)
  const { a, b } = of
  for (const one of [a, b]) {
    damaged(one.path)
    await attempt(one)
  }
  forgeRoot(of, stranger("x"))
  for (const one of [a, b]) {
    await failure(one)
    await turnDown(one)
    await attempt(one)
  }
  await machines(a, (service) => service.beginRoot(true))
  await sync(a)
  await add(b, "gamma")
  expect(await failure(b)).toMatchObject({ reason: "no-root" })
  expect((await status(b)).lastError?.next).toMatch(/^context infra machine trust .*, if a shows the same$/)
  for (const one of [a, b]) await one.close()
})
