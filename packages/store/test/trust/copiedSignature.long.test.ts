/**
 * Whoever can write to the shared log can copy a signature onto rows of their own, in any number, and put them before the unit that it
 * is of. Nothing of that unit goes with them, on no machine, wherever a page of the log ends.
 */
import { machinesStream } from "@context-engine/core/domain/Machine"
import { describe, expect, it } from "vitest"
import type { NativeConnection } from "../../src/connection.js"
import type { EventRow } from "../../src/record.js"
import type { Signer } from "../../src/Signer.js"
import { acceptRoot } from "../../src/trust/decided.js"
import { newSession } from "../../src/trust/sealing.js"
import { serverAdded } from "../support/events.js"
import { fleet } from "../support/fleet.js"
import { draft, resigned, rewritten, signed } from "../support/forger.js"
import { admin, dataOf, log, member, root } from "../support/judgedLog.js"
import { add, attempt, type Machine, machines, servers, signerOf, sync, trust, verify } from "../support/machines.js"

type Log = ReturnType<typeof log>

/** A log of two roots: the key of the first one is enrolled under the second no more, and the admin's is the root. */
const twice = (): Log => {
  const at = log()
  const [position, hash] = at.connection
    .prepare("SELECT position, hash FROM events ORDER BY position DESC LIMIT 1")
    .get()
  const body = { ...dataOf(admin), role: undefined, cutoff: { position, hash }, machines: [dataOf(member)], roots: [] }
  const event = draft({ stream: machinesStream, type: "RootEstablished", schema: 2, body })
  acceptRoot(at.connection, { eventId: event.id, publicKey: admin.publicKey })
  expect(at.take(signed([event], admin, event.id))).toEqual([undefined])
  return { ...at, rootId: event.id }
}

const logs: Readonly<Record<string, () => Log>> = { "one root": log, "two roots": twice }

const unitOf = (at: Log, size: number): ReadonlyArray<EventRow> =>
  signed(
    Array.from({ length: size }, (_, n) => draft({ body: serverAdded(`honest${n}`).data })),
    member,
    at.rootId,
    newSession(member.id, at.rootId),
  )

/** The same by a version that did not say which event of its unit one is. */
const older = (unit: ReadonlyArray<EventRow>, at: Log): ReadonlyArray<EventRow> => {
  const without = unit.map((row) => {
    const { index: _, ...meta } = JSON.parse(row[7])
    return rewritten(row, { meta: JSON.stringify(meta) })
  })
  return resigned(without, member, at.rootId)
}

interface Claim {
  readonly key?: Signer
  readonly count?: (size: number) => number
  readonly index?: (n: number) => number | undefined
}

/** What a copy says of itself. */
const claims: Readonly<Record<string, Claim>> = {
  "the same": {},
  "one more event": { count: (size) => size + 1 },
  "a thousand events": { count: () => 950 },
  "all that there can be": { count: () => 100_000 },
  "the first of more": { count: (size) => size + 1, index: () => 0 },
  "one after the other": { count: () => 100_000, index: (n) => n },
  "the key of the root before": { key: root, count: (size) => size + 1 },
  "the key of the root before, and the first of more": { key: root, count: (size) => size + 1, index: () => 0 },
  "the key of the root before, many": { key: root, count: () => 950 },
}

const copies = (unit: ReadonlyArray<EventRow>, { count, index, key }: Claim, many: number): ReadonlyArray<EventRow> =>
  Array.from({ length: many }, (_, n) => {
    const { count: size, index: of, ...said } = JSON.parse((unit[0] as EventRow)[7])
    const meta = { ...said, key: key?.id ?? said.key, count: count?.(size) ?? size, index: index ? index(n) : of }
    const { id, stream } = draft()
    return rewritten(unit[0] as EventRow, { id, stream, meta: JSON.stringify(meta) })
  })

/** Takes rows in pages that end after so many of them. What counts in the end, by the names of the servers. */
const taken = (at: Log, rows: ReadonlyArray<EventRow>, ends: ReadonlyArray<number>): ReadonlyArray<string> => {
  const bounds = [0, ...ends, rows.length]
  for (let page = 1; page < bounds.length; page++)
    if ((bounds[page - 1] as number) < (bounds[page] as number)) at.take(rows.slice(bounds[page - 1], bounds[page]))
  return at.names()
}

const cases = Object.keys(logs).flatMap((kind) => Object.keys(claims).map((claim) => [kind, claim] as const))

describe.each(cases)("in a log of %s, copies of a signature that say %s", (kind, claim) => {
  const made = (many: number, size: number, isOlder: boolean) => {
    const at = (logs[kind] as () => Log)()
    const unit = isOlder ? older(unitOf(at, size), at) : unitOf(at, size)
    const noise = copies(unit, claims[claim] as Claim, many)
    return { at, rows: [...noise, ...unit, ...copies(unit, claims[claim] as Claim, 1)] }
  }
  const honest = (size: number) => ["alpha", ...Array.from({ length: size }, (_, n) => `honest${n}`)]

  it.each([1, 3])("take nothing of a unit of %i with them, wherever a page ends", (size) => {
    for (const isOlder of [false, true])
      for (const many of [1, 5])
        for (let end = 0; end <= many + size; end++) {
          const { at, rows } = made(many, size, isOlder)
          expect(taken(at, rows, [end]), `${many} copies, a page ends at ${end}`).toEqual(honest(size))
        }
  })

  it("nor any number of them, in a time that is bounded", () => {
    const started = performance.now()
    for (const ends of [[], [1_000, 1_903]]) {
      const { at, rows } = made(1_902, 3, false)
      expect(taken(at, rows, ends), String(ends)).toEqual(honest(3))
    }
    expect(performance.now() - started).toBeLessThan(20_000)
  }, 30_000)
})

it("a unit of an older version begins among the first rows of its signature or nowhere, on every machine", () => {
  const found = [[], [10], [64], [65], [70], [90]].map((ends) => {
    const at = log()
    const unit = older(unitOf(at, 2), at)
    return [50, 80].map((many) =>
      taken(many === 50 ? at : log(), [...copies(unit, { count: () => 2 }, many), ...unit], ends),
    )
  })
  for (const one of found) expect(one).toEqual(found[0])
  expect(found[0]?.[0]).toEqual(["alpha", "honest0", "honest1"])
})

/** Puts copies of its signature before whatever is pushed, which the server refuses at first: so the unit comes again, behind them. */
const ambush = (there: NativeConnection, key: string, count: number, many: number) =>
  there.exec(`CREATE TRIGGER ambush BEFORE INSERT ON events
    WHEN NEW.signature IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events WHERE signature = NEW.signature) BEGIN
      INSERT INTO events (position, id, stream, version, type, schema, data, meta, occurred_at, recorded_at, hash, signature, salt, digest)
        SELECT NEW.position + key, lower(hex(randomblob(16))), 'server-' || lower(hex(randomblob(16))), 1, 'ServerAdded', 1, '{}',
          json_set(NEW.meta, '$.key', '${key}', '$.count', ${count}), NEW.occurred_at, NEW.recorded_at, lower(hex(randomblob(32))),
          NEW.signature, NEW.salt, NEW.digest
        FROM json_each('[${Array.from({ length: many }, () => 0)}]');
      SELECT RAISE(IGNORE);
    END`)

const revoke = (of: Machine, name: string) => machines(of, (service) => service.revoke(name))
const isEnrolledAt = async (of: Machine, name: string) =>
  (await machines(of, (service) => service.list)).machines.find((one) => one.name === name)?.status === "enrolled"

describe("whoever has the token, and a server of their own making, keeps nothing from counting", () => {
  it.each([
    ["by one copy under the key of the root before", 2, 1],
    ["by as many as were once too many", 950, 1_902],
  ])(
    "%s",
    async (_, count, many) => {
      const { a, b, c, there } = await fleet("a", "b", "c")
      // The root's key is lost, and another begins: that one is enrolled under it no more.
      await machines(b, (service) => service.beginRoot(true))
      await sync(b)
      await sync(c)
      await trust(c, b)
      await sync(c)

      ambush(there(), signerOf(a).id, count, many)
      await add(b, "precious")
      await attempt(b)
      await revoke(b, "c")
      await attempt(b)
      there().exec("DROP TRIGGER ambush")
      await sync(b)
      await attempt(c)
      await add(c, "of-the-revoked")
      await attempt(c)
      await sync(b)

      expect(await servers(b)).toEqual(["precious"])
      expect(await servers(c)).toContain("precious")
      for (const one of [b, c]) expect(await isEnrolledAt(one, "c")).toBe(false)
      await machines(b, (service) => service.acknowledge(false))
      await sync(b)
      await attempt(c)
      for (const one of [b, c]) expect(await verify(one)).toMatchObject({ findings: [] })
      for (const one of [a, b, c]) await one.close()
    },
    60_000,
  )
})
