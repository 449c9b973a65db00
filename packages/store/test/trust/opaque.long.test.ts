/**
 * Every type of event, in the shape of today and in one that only a newer version knows, with anything in it: by a stranger, by a
 * member, by nobody. No question to the log is lost by it, and nothing that leads on.
 */
import { definitions } from "@context-engine/core/domain/Events"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { Database } from "../../src/Database.js"
import type { Signer } from "../../src/Signer.js"
import { candidates } from "../../src/trust/candidates.js"
import { withNoise } from "../support/audited.js"
import { uuid } from "../support/events.js"
import { fleet } from "../support/fleet.js"
import { draft, placed, signed, slipIn, stranger, unsigned } from "../support/forger.js"
import { add, attempt, eventsOf, heal, machines, rejected, servers, signerOf, status, sync, verify } from "../support/machines.js" // biome-ignore format: one line

type Key = Pick<Signer, "id" | "publicKey">

const bodies = (own: Key, other: Key): ReadonlyArray<unknown> => [
  ...[null, 5, "x", [], {}],
  { machineId: own.id, publicKey: own.publicKey },
  { machineId: own.id, publicKey: own.publicKey, name: 7, invite: 5, role: "admin", machines: [null], roots: [null], cutoff: { position: "x", hash: 5 } }, // biome-ignore format: one body
  { machineId: own.id, publicKey: own.publicKey, name: "z", invite: null, role: "admin", machines: null, roots: null, cutoff: 5 }, // biome-ignore format: one body
  { machineId: other.id, publicKey: other.publicKey, name: "a", events: [{}], changes: null },
  { events: [{ id: 5, meta: null }], how: "retried", changes: 5, name: null, from: null, to: null },
]

it.each(["a stranger", "a member", "nobody"])("signed by %s", { timeout: 120_000 }, async (who) => {
  const { a, b, rootId, there, t } = await fleet("a", "b", "t")
  await add(a, "alpha")
  for (const one of [a, b, t]) await sync(one)
  for (const one of [a, b, t]) withNoise(one.path)
  const server = eventsOf(a.path).find((row) => row[4] === "ServerAdded")?.[2] as string
  const own = who === "a member" ? signerOf(t) : stranger()
  for (const type of [...definitions.keys(), "MoonLanded", "__proto__"])
    for (const schema of [1, 99])
      for (const body of bodies(own, signerOf(a)))
        for (const stream of ["machine-all", server, `rejection-${uuid()}`, "machine-x"]) {
          const one = draft({ type, schema, stream, body })
          const root = type === "RootEstablished" && stream === "machine-all" ? one.id : rootId
          slipIn(there(), placed(there(), who === "nobody" ? unsigned([one]) : signed([one], own, root)))
        }
  await add(a, "after")
  for (const one of [a, b]) expect(await attempt(one)).toMatchObject({ _tag: "Right" })
  await heal(b)
  for (const one of [a, b]) expect(await servers(one)).toEqual(expect.arrayContaining(["after"]))
  expect(await status(b)).toMatchObject({ lastError: null, pending: 0 })
  expect((await machines(b, (service) => service.list)).machines.map(({ name }) => name)).toContain("a")
  await rejected(b)
  await verify(b)
  await b.run(Effect.flatMap(Database, (database) => database.read((c) => candidates(c, signerOf(b)))))
  await machines(a, (service) => service.acknowledge(true))
  for (const one of [a, b]) await sync(one)
  const { findings } = await verify(b)
  expect(findings.filter(({ kind }) => kind === "inert")).toEqual([])
  expect(await machines(b, (service) => Effect.either(service.beginRoot(true)))).toMatchObject({ _tag: "Right" })
  for (const one of [a, b, t]) await one.close()
})
