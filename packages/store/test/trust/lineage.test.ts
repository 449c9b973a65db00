/** A log whose admin keys were lost more than once: whoever comes later finds what the others know. */
import { cpSync } from "node:fs"
import { machinesStream } from "@context-engine/core/domain/Machine"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { prepare } from "../../src/restore.js"
import type { Signer } from "../../src/Signer.js"
import { fingerprint } from "../../src/trust/keys.js"
import { withNoise } from "../support/audited.js"
import { uuid } from "../support/events.js"
import { freshPath } from "../support/files.js"
import { fleet } from "../support/fleet.js"
import { draft, signed, slipIn, stranger } from "../support/forger.js"
import {
  add,
  approve,
  attempt,
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
import { invite } from "../support/tampered.js"

/** The root's key is lost twice: `b` begins one that all accept, and then `c`. Each wrote under each. */
const thrice = async () => {
  const found = await fleet("a", "b", "c")
  const { a, b, c } = found
  for (const one of [a, b, c]) withNoise(one.path)
  await add(a, "under-a")
  for (const one of [a, b, c]) await sync(one)
  await machines(b, (service) => service.beginRoot(true))
  for (const one of [b, c]) await sync(one)
  await trust(c, b)
  await add(b, "under-b")
  await add(c, "c-under-b")
  for (const one of [b, c, b]) await sync(one)
  await machines(c, (service) => service.beginRoot(true))
  await add(c, "under-c")
  for (const one of [c, b]) await sync(one)
  await trust(b, c)
  await attempt(b)
  await sync(c)
  await approve(c)
  for (const one of [c, b, c]) await sync(one)
  expect(await servers(c)).toEqual(["c-under-b", "under-a", "under-b", "under-c"])
  return found
}

const alike = async (c: Machine, other: Machine) => {
  for (const one of [c, other, c, other]) await sync(one)
  expect(await servers(other)).toEqual(await servers(c))
  expect(rowsHash(other.path)).toBe(rowsHash(c.path))
  expect((await status(other)).inert).toBe((await status(c)).inert)
  expect((await verify(other)).ok).toBe((await verify(c)).ok)
}

it("who comes with an invite of the third root has what all have", async () => {
  const { c, remote } = await thrice()
  const code = await invite(c)
  await sync(c)
  const n = machine("n", remote)
  withNoise(n.path)
  await n.run(Effect.flatMap(Sync, (service) => service.now({ invite: code })))
  await alike(c, n)
})

it("so has who comes without one, and takes the third root for the right one", async () => {
  const { c, remote } = await thrice()
  const n = machine("n", remote)
  withNoise(n.path)
  await attempt(n)
  await trust(n, c)
  await attempt(n)
  for (const one of [c, n]) await attempt(one)
  await sync(c)
  await approve(c)
  await alike(c, n)
})

it("and who takes its own backup to another disk", async () => {
  const { b, c } = await thrice()
  const path = withNoise(freshPath())
  await b.close()
  cpSync(`${b.path}.key`, `${path}.key`)
  const place = prepare(b.path, path, { keyPath: `${path}.key` }).pipe(Effect.flatMap((found) => found.place))
  await Effect.runPromise(Effect.scoped(place))
  const again = machine("b", undefined, { path })
  await trust(again, c)
  expect(await servers(again)).toEqual(await servers(c))
  expect(rowsHash(again.path)).toBe(rowsHash(c.path))
  await again.close()
})

it("who began a root and goes to another, whose machine never went by that, brings its work with it", async () => {
  const { b, c, d } = await fleet("a", "b", "c", "d")
  for (const one of [b, c, d]) withNoise(one.path)
  await machines(c, (service) => service.beginRoot(true))
  await add(c, "off-c")
  await sync(c)
  await sync(d)
  await machines(d, (service) => service.beginRoot(true))
  await add(d, "off-d")
  for (const one of [d, b, c]) await sync(one)
  for (const one of [b, c]) await trust(one, d)
  for (const one of [c, d, b]) await attempt(one)
  await machines(d, (service) => service.approve("c", "member")).catch(() => undefined)
  for (const one of [d, c, b, d]) await sync(one)
  for (const one of [b, c, d]) expect(await servers(one)).toEqual(["off-c", "off-d"])
  for (const one of [b, c]) await alike(d, one)
})

it("and who has its key, began the third root, and lost all else", async () => {
  const { b, c, remote } = await thrice()
  await c.close()
  const [pulled, restored] = [withNoise(freshPath()), withNoise(freshPath())]
  for (const path of [pulled, restored]) cpSync(`${c.path}.key`, `${path}.key`)
  const again = machine("c", remote, { path: pulled })
  await sync(again)
  await alike(b, again)
  await again.close()
  await b.close()
  const place = prepare(b.path, restored, { keyPath: `${restored}.key` }).pipe(Effect.flatMap((found) => found.place))
  await Effect.runPromise(Effect.scoped(place))
  const other = machine("c", undefined, { path: restored })
  expect(await servers(other)).toEqual(["c-under-b", "under-a", "under-b", "under-c"])
  expect(rowsHash(other.path)).toBe(rowsHash(b.path))
  await other.close()
})

it("what a root names that does not stand before it, nobody goes by", async () => {
  const { a, b, there } = await fleet("a", "b")
  for (const one of [a, b]) withNoise(one.path)
  const later = stranger("later")
  const own = stranger("own")
  const [laterId, ownId] = [uuid(), uuid()]
  const begins = (signer: Signer, id: string, roots: ReadonlyArray<string>) => {
    const [position, hash] = there().prepare("SELECT position, hash FROM events ORDER BY position DESC").get()
    const { id: machineId, name, publicKey } = signer
    const body = { machineId, name, publicKey, cutoff: { position, hash }, machines: [], roots }
    slipIn(
      there(),
      signed([draft({ id, stream: machinesStream, type: "RootEstablished", schema: 2, body })], signer, id),
    )
  }
  begins(own, ownId, [laterId])
  await sync(b)
  await machines(b, (service) => service.trust(fingerprint(own.publicKey)))
  begins(later, laterId, [])
  await attempt(b)
  expect((await machines(b, (service) => service.list)).machines.find(({ root }) => root)?.name).toBe("own")
  for (const one of [a, b]) await one.close()
})
