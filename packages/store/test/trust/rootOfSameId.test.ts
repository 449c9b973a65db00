/** Whoever has the token alone can put any root into a log that has none: it is taken for no other one, and stops nobody for good. */
import { copyFileSync } from "node:fs"
import { RootEstablished } from "@context-engine/core/domain/Machine"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { prepare } from "../../src/restore.js"
import { fingerprint } from "../../src/trust/keys.js"
import { damaged, withNoise } from "../support/audited.js"
import { freshPath, withSqlite } from "../support/files.js"
import { draft, placed, slipIn, stranger, unsigned } from "../support/forger.js"
import {
  add,
  attempt,
  eventsOf,
  failure,
  heal,
  type Machine,
  machine,
  machines,
  servers,
  signerOf,
  sync,
  trust,
} from "../support/machines.js"
import { forgeRoot, type RootlessWorld, rootlessWorld } from "../support/rootless.js"

/** The first machine begins a root, of which the second asks its person. */
const beginRoot = async ({ a, b }: RootlessWorld) => {
  await machines(a, (service) => service.beginRoot(true))
  await sync(a)
  await failure(b)
}

const rootIdOf = ({ path }: Machine) => eventsOf(path).find((row) => row[4] === RootEstablished.type)?.[1]

const list = (of: Machine) => machines(of, (service) => service.list)
const acknowledge = (of: Machine) => machines(of, (service) => service.acknowledge(true))

it("one under the same id as the one that a person looks at is another: the fingerprint shown is its own", async () => {
  const of = await rootlessWorld(true)
  const { a, b } = of
  for (const one of [a, b]) damaged(one.path)
  await attempt(a)
  const putBack = of.save()
  await beginRoot(of)
  expect((await list(b)).pendingRoots).toMatchObject([{ fingerprint: fingerprint(signerOf(a).publicKey) }])
  putBack()
  const x = stranger("a")
  forgeRoot(of, x, rootIdOf(a))
  await failure(b)
  expect((await list(b)).pendingRoots).toMatchObject([{ fingerprint: fingerprint(x.publicKey) }])
  await expect(trust(b, a)).rejects.toThrow("no root named")
  for (const one of [a, b]) await one.close()
})

it("one in the place of a root that a person accepted does not count", async () => {
  const of = await rootlessWorld(true)
  const { a, b } = of
  for (const one of [a, b]) damaged(one.path)
  await attempt(a)
  const putBack = of.save()
  await beginRoot(of)
  await trust(b, a)
  await sync(b)
  putBack()
  const x = stranger("a")
  forgeRoot(of, x, rootIdOf(a))
  await attempt(b)
  expect((await list(b)).machines.map(({ machineId }) => machineId)).not.toContain(x.id)
  for (const one of [a, b]) await one.close()
})

it.each([true, false])("one that is turned down stops nobody any more (signed before: %s)", async (isSigned) => {
  const of = await rootlessWorld(isSigned)
  const { a, b } = of
  for (const one of [a, b]) withNoise(one.path)
  for (const one of [a, b]) await attempt(one)
  await add(a, "mine")
  forgeRoot(of, stranger("x"))
  for (const one of [a, b]) expect(await failure(one)).toMatchObject({ reason: "new-root" })
  expect((await failure(b)).message).toContain("machine acknowledge --roots")
  for (const one of [a, b]) expect(await acknowledge(one)).toBe(1)
  // Any number of others wait then, as in a log that has a root, and are in nobody's way.
  for (let n = 0; n < 5; n++) forgeRoot(of, stranger(`x${n}`))
  for (const one of [a, b]) if (!isSigned) await sync(one)
  if (isSigned) {
    await beginRoot(of)
    await trust(b, a)
  }
  for (const one of [a, b, a]) await sync(one)
  for (const one of [a, b]) expect(await servers(one)).toEqual(["alpha", "beta", "mine"])
  for (const one of [a, b]) await one.close()
})

it.each([true, false])(
  "one that was turned down is none after a restore either (signed before: %s)",
  async (isSigned) => {
    const of = await rootlessWorld(isSigned)
    const { a, b } = of
    for (const one of [a, b]) withNoise(one.path)
    await attempt(a)
    await add(a, "mine")
    const x = stranger("x")
    forgeRoot(of, x)
    await failure(a)
    await acknowledge(a)
    if (isSigned) await machines(a, (service) => service.beginRoot(true))
    await sync(a)
    await add(a, "after")
    const known = await servers(a)
    await a.close()
    // The log that is there, and a backup of it.
    const [path, backup] = [withNoise(freshPath()), withNoise(freshPath())]
    for (const copy of [path, backup]) withSqlite(a.path, (database) => database.exec(`VACUUM INTO '${copy}'`))
    if (isSigned) copyFileSync(`${a.path}.key`, `${path}.key`)
    const key = isSigned ? { keyPath: `${path}.key` } : {}
    await Effect.runPromise(Effect.scoped(Effect.flatMap(prepare(backup, path, key), ({ place }) => place)))
    const again = machine("a", of.remote, { path, signed: isSigned })
    expect(await servers(again)).toEqual(known)
    expect((await list(again)).machines.map(({ machineId }) => machineId)).not.toContain(x.id)
    for (const one of [again, b]) await one.close()
  },
)

it.each([true, false])("one on a server that was put back to before there was any (same id: %s)", async (isSame) => {
  const of = await rootlessWorld(true)
  const { a, b } = of
  for (const one of [a, b]) damaged(one.path)
  await attempt(a)
  const putBack = of.save()
  await beginRoot(of)
  await trust(b, a)
  for (const one of [b, a]) await sync(one)
  putBack()
  const x = stranger("x")
  forgeRoot(of, x, isSame ? rootIdOf(a) : undefined)
  // Under the same id its own machine alone could write its root anew: that is told, and what leads on.
  await expect(heal(a)).rejects.toThrow(isSame ? "took the id of a root there" : "machine acknowledge --roots")
  if (isSame) of.empty()
  else expect(await acknowledge(a)).toBe(1)
  await heal(a)
  await add(a, "gamma")
  await sync(a)
  expect(await servers(a)).toEqual(["alpha", "beta", "gamma"])
  expect((await list(a)).machines.map(({ machineId }) => machineId)).not.toContain(x.id)
  for (const one of [a, b]) await one.close()
})

it("where two waited at one place, the person's word is for the one whose fingerprint they name", async () => {
  const of = await rootlessWorld(true)
  const { a, b } = of
  for (const one of [a, b]) withNoise(one.path)
  for (const one of [a, b]) await attempt(one)
  const putBack = of.save()
  const x = stranger("x")
  forgeRoot(of, x)
  await failure(b)
  putBack()
  await beginRoot(of)
  await trust(b, a)
  await sync(b)
  expect((await list(b)).machines.find(({ root }) => root)?.machineId).toBe(signerOf(a).id)
  for (const one of [a, b]) await one.close()
})

it("one that waits after another was turned down is named where nothing can be pushed", async () => {
  const of = await rootlessWorld(true)
  const { a, b } = of
  for (const one of [a, b]) withNoise(one.path)
  for (const one of [a, b]) await attempt(one)
  forgeRoot(of, stranger("x"))
  for (const one of [a, b]) await failure(one)
  for (const one of [a, b]) await acknowledge(one)
  await add(b, "gamma")
  await machines(a, (service) => service.beginRoot(true))
  await sync(a)
  expect((await failure(b)).message).toContain(`machine trust ${fingerprint(signerOf(a).publicKey)}`)
  await trust(b, a)
  await sync(b)
  expect(await servers(b)).toEqual(["alpha", "beta", "gamma"])
  for (const one of [a, b]) await one.close()
})

it("noise alone is not turned down: it is told who may acknowledge it", async () => {
  const of = await rootlessWorld(true)
  const { a, b } = of
  for (const one of [a, b]) withNoise(one.path)
  await attempt(a)
  slipIn(of.there(), placed(of.there(), unsigned([draft({ data: "no JSON" })])))
  await attempt(a)
  await expect(machines(a, (service) => service.acknowledge(false))).rejects.toThrow("context infra machine root")
  for (const one of [a, b]) await one.close()
})
