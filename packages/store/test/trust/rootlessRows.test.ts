/** In a log without a root whoever has the token can write what has a shape, and nothing that stops or reddens it for good. */
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import type { EventRow } from "../../src/record.js"
import { prepare } from "../../src/restore.js"
import { withNoise } from "../support/audited.js"
import { freshPath, withSqlite } from "../support/files.js"
import { draft, placed, rewritten, slipIn, unsigned } from "../support/forger.js"
import { add, attempt, machines, rowsHash, servers, status, sync, trust, verify } from "../support/machines.js"
import { rootlessWorld } from "../support/rootless.js"

/** An event of a known shape, with one thing that is not as it is written; `hash` is put in its place last. */
const odd: Readonly<Record<string, Parameters<typeof rewritten>[1] & { readonly hash?: string }>> = {
  "the digest of other data": { digest: "0".repeat(64) },
  "a digest that is none": { digest: "y" },
  "the salt of other data": { salt: "x" },
  "a hash that follows from nothing": { hash: "ab".repeat(32) },
  "a hash that is none": { hash: "" },
  "shape 0": { schema: 0 },
  "a shape below 0": { schema: -1 },
  "no stream": { stream: "" },
  "no meta": { meta: "{}" },
  "no time": { occurredAt: "" },
  "no data": { data: "null" },
  "data that is no JSON": { data: "{" },
  "a signature that is longer than any": { signature: "x".repeat(100_000) },
}

const cases = Object.keys(odd).flatMap((what) => [true, false].map((isSigned) => [what, isSigned] as const))

it.each(cases)("%s counts for nothing, and stops nobody (signed before: %s)", async (what, isSigned) => {
  const world = await rootlessWorld(isSigned)
  const { a, b } = world
  for (const one of [a, b]) {
    withNoise(one.path)
    await attempt(one)
  }
  const { hash, ...over } = odd[what] as (typeof odd)[string]
  const [row] = unsigned([draft()]) as readonly [EventRow]
  const rows = placed(world.there(), [rewritten(row, over)])
  slipIn(world.there(), hash === undefined ? rows : rows.map((one) => one.with(10, hash) as unknown as EventRow), hash !== undefined) // biome-ignore format: one line
  for (const one of [a, b, a]) await attempt(one)
  const known = ["alpha", "beta"]
  for (const one of [a, b]) {
    expect(await servers(one)).toEqual(known)
    expect((await verify(one)).findings.map(({ kind }) => kind)).toEqual(["inert"])
    const healed = await one.run(Effect.flatMap(Sync, (service) => Effect.either(service.heal())))
    if (isSigned) expect(healed).toMatchObject({ left: { reason: "no-root" } })
    else expect(healed._tag).toBe("Right")
  }
  const [backup, to] = [withNoise(freshPath()), withNoise(freshPath())]
  withSqlite(a.path, (database) => database.exec(`VACUUM INTO '${backup}'`))
  const prepared = Effect.flatMap(prepare(backup, to), (found) => Effect.as(found.place, found))
  expect(await Effect.runPromise(Effect.scoped(prepared))).toMatchObject({ problems: [], differing: 0 })
  if (isSigned) {
    await machines(a, (service) => service.beginRoot(true))
    await sync(a)
    await attempt(b)
    await trust(b, a)
    expect(await machines(a, (service) => service.acknowledge(false))).toBe(1)
  }
  for (const one of [a, b]) await add(one, `of-${one.name}`)
  for (const one of [a, b, a]) await sync(one)
  for (const one of [a, b]) {
    expect(await servers(one)).toEqual([...known, "of-a", "of-b"])
    expect(await status(one)).toMatchObject({ pending: 0, lastError: null })
    if (isSigned) expect(await verify(one)).toMatchObject({ ok: true, findings: [], inert: 1 })
  }
  expect(rowsHash(b.path)).toBe(rowsHash(a.path))
  for (const one of [a, b]) await one.close()
})
