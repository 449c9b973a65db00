/** A root that others' events came before on the way to the shared log: it is put after them, and nothing of it is lost. */
import { Sync } from "@context-engine/core/services/Sync"
import { createClient } from "@libsql/client/http"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { expect, it } from "vitest"
import { Database } from "../../src/Database.js"
import { columns, type EventRow } from "../../src/record.js"
import { remoteSchema } from "../../src/schema.js"
import { remoteLog } from "../../src/sync/http.js"
import { make } from "../../src/sync/RemoteLog.js"
import { withNoise } from "../support/audited.js"
import { enrol, invite } from "../support/enrolment.js"
import { draft, placed, unsigned } from "../support/forger.js"
import {
  add,
  beginLog,
  eventsOf,
  heal,
  type Machine,
  machine,
  machines,
  rowsHash,
  servers,
  signerOf,
  status,
  sync,
  trust,
  verify,
  withNewKey,
} from "../support/machines.js"
import { nowOrJoin } from "../support/nowOrJoin.js"
import { makeSequencer } from "../support/sequencer.js"
import { type Sqld, startSqld } from "../support/sqld.js"

const members = (of: Machine) => machines(of, (s) => Effect.map(s.list, (found) => found.machines))
const rootOf = async (of: Machine) => (await members(of)).find(({ root }) => root)?.machineId

it("a root that others were faster than stands after what they wrote", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [first, b] = [machine("a", remote), machine("b", remote)]
  await beginLog(first, b)
  await add(first, "alpha")
  for (const one of [first, b]) await sync(one)
  const a = await withNewKey(first, remote)
  await machines(a, (service) => service.beginRoot(true))
  await add(a, "gamma")
  await add(b, "beta")
  await sync(b)
  await sync(a)
  expect(await rootOf(a)).toBe(signerOf(a).id)
  expect(await servers(a)).toEqual(["alpha", "beta", "gamma"])
  withNoise(b.path)
  await sync(b)
  await trust(b, a)
  await add(b, "delta")
  for (const one of [b, a]) await sync(one)
  expect(await servers(a)).toEqual(["alpha", "beta", "delta", "gamma"])
  expect(eventsOf(b.path)).toEqual(eventsOf(a.path))
  expect(await verify(a)).toMatchObject({ findings: [] })
  for (const one of [a, b]) await one.close()
})

let current: Sqld | undefined
type Machines4 = Record<"a" | "b" | "c" | "d", Machine>

/** A log of `a`, and of `b`, `c` and `d` beside it, whose server is put back to before what happened then; `d` was away meanwhile. */
const putBackAfter = async (happens: (at: Machines4) => Promise<unknown>, before: typeof happens = async () => {}) => {
  const sqld = await startSqld()
  current = sqld
  const shared = (name: string) => machine(name, remoteLog({ url: sqld.url, token: sqld.token() }))
  const all = ["a", "b", "c", "d"].map(shared) as [Machine, Machine, Machine, Machine]
  const [a, b, c, d] = all
  await beginLog(a, b, c, d)
  for (const one of all) withNoise(one.path)
  await add(a, "alpha")
  await before({ a, b, c, d })
  for (const one of all) await sync(one)
  await sqld.kill()
  sqld.save("older")
  await sqld.start()
  await happens({ a, b, c, d })
  await sqld.kill()
  sqld.restore("older")
  await sqld.start()
  const empty = async () => {
    await sqld.kill()
    sqld.restore(undefined)
    await sqld.start()
  }
  const close = async () => {
    for (const one of all) await one.close()
    await sqld.close()
  }
  return { a, b, c, d, sqld, empty, close }
}

/** `b` begins a root because a's key was stolen, and `c` comes to it. */
const rooted = () =>
  putBackAfter(async ({ b, c }) => {
    await add(b, "before")
    await machines(b, (service) => service.beginRoot(true))
    await sync(b)
    await sync(c)
    await trust(c, b)
    await add(c, "after")
    for (const one of [c, b]) await sync(one)
  })

it("heal puts a root of this machine, and what is under it, after what others wrote on a server that was put back", {
  timeout: 60_000,
}, async () => {
  const { b, c, close, d } = await rooted()
  await add(d, "meanwhile")
  await sync(d)
  await heal(b)
  expect(await rootOf(b)).toBe(signerOf(b).id)
  await heal(c)
  for (const one of [b, c, b]) await sync(one)
  for (const one of [b, c]) {
    expect(await rootOf(one)).toBe(signerOf(b).id)
    expect(await servers(one)).toEqual(["after", "alpha", "before", "meanwhile"])
    const well = { pending: 0, roots: [], rejected: 0, inert: 0, breaks: [], lastError: null }
    expect(await status(one)).toMatchObject(well)
  }
  expect(eventsOf(c.path)).toEqual(eventsOf(b.path))
  expect(rowsHash(c.path)).toBe(rowsHash(b.path))
  for (const one of [b, c]) expect(await verify(one)).toMatchObject({ findings: [] })
  await close()
})

it("heal on another machine leaves a root where it is until the machine that began it has put it in its place", {
  timeout: 60_000,
}, async () => {
  const { b, c, close, d, empty } = await rooted()
  await add(d, "meanwhile")
  await sync(d)
  const before = eventsOf(c.path)
  const failed = await c.run(Effect.flatMap(Sync, (service) => Effect.flip(service.heal())))
  expect(failed).toMatchObject({ reason: "damaged", message: expect.stringContaining("sync heal there comes first") })
  expect(eventsOf(c.path)).toEqual(before)
  expect((await status(c)).lastError?.next).toContain("context infra sync heal on the other machines first")
  expect(await rootOf(c)).toBe(signerOf(b).id)
  // Where that machine is no more: an empty database, and all is as it was.
  await empty()
  await heal(c)
  expect(await status(c)).toMatchObject({ pending: 0, lastError: null })
  expect(eventsOf(c.path).map(([, id]) => id)).toEqual(before.map(([, id]) => id))
  await close()
})

interface Attack {
  /** What there was before the state that the server is put back to. */
  readonly before?: (at: Machines4) => Promise<unknown>
  /** What was decided after it. */
  readonly decided: (at: Machines4) => Promise<unknown>
  /** What is done with a key, a code, or the token alone on the server that was put back. */
  readonly done: (at: Machines4, sqld: Sqld) => Promise<unknown>
  /** Who heals. */
  readonly by: "a" | "b"
  /** How, where that is not by heal. */
  readonly way?: (one: Machine) => Promise<unknown>
}

const write = async (one: Machine): Promise<unknown> => {
  await add(one, "stolen")
  return sync(one)
}
const beginRoot = async (one: Machine): Promise<unknown> => {
  await machines(one, (service) => service.beginRoot(true))
  return sync(one)
}
const came = async (name: string, code: string, { token, url }: Sqld): Promise<Machine> => {
  const one = machine(name, remoteLog({ url, token: token() }))
  await one.run(nowOrJoin({ invite: code }))
  return one
}

let code = ""
const invites = async ({ a }: Machines4): Promise<void> => {
  code = await a.run(Effect.flatMap(Database, (db) => Effect.flatMap(db.read((c) => c), (c) => invite(c)))) // biome-ignore format: one line
}

const revoked = async ({ a, c }: Machines4): Promise<void> => {
  await machines(a, (service) => service.revoke(signerOf(c).id))
  await sync(a)
}

const at = ({ token, url }: Sqld) => createClient({ url, authToken: Redacted.value(token()) })

const insert = (sqld: Sqld, row: EventRow) => {
  const marks = row.map(() => "?").join(", ")
  return at(sqld).execute({ sql: `INSERT INTO events (${columns}) VALUES (${marks})`, args: [...row] })
}

/** Under the name of the log, one that nobody signed. */
const another = async (_: Machines4, sqld: Sqld): Promise<void> => {
  const shadow = makeSequencer().connection
  for (const sql of remoteSchema) shadow.exec(sql)
  const [row] = placed(shadow, unsigned([draft()])) as [EventRow]
  await at(sqld).executeMultiple("DROP TRIGGER events_no_delete; DELETE FROM events")
  await insert(sqld, row)
}

const attacks: Readonly<Record<string, Attack>> = {
  "with the key of the root before": { decided: ({ b }) => beginRoot(b), done: ({ a }) => write(a), by: "b" },
  "with a key that was revoked": {
    decided: revoked,
    done: ({ c }) => write(c),
    by: "a",
  },
  "with a revoked key, where the log is left and joined again": {
    decided: revoked,
    done: ({ c }) => write(c),
    by: "a",
    way: (one) => one.run(Effect.flatMap(Sync, (s) => Effect.zipRight(s.disconnect, Effect.orElse(s.now(), () => s.join())))), // biome-ignore format: one line
  },
  "with a revoked key, where the log got another name": {
    decided: revoked,
    done: async ({ c }, sqld) => {
      await write(c)
      await at(sqld).execute("UPDATE log SET log_id = 'another'")
    },
    by: "a",
    way: (one) => one.run(Effect.flatMap(Sync, (service) => service.join())),
  },
  "with a code that was used up": {
    before: invites,
    decided: async ({ a }) => {
      await (await came("guest", code, current as Sqld)).close()
      await sync(a)
    },
    done: async (_, sqld) => {
      const thief = await came("thief", code, sqld)
      await write(thief)
      await thief.close()
    },
    by: "a",
  },
  "by another log under its name": { decided: ({ a }) => add(a, "beta").then(() => sync(a)), done: another, by: "a" },
  "by another log, where a machine began a root": { decided: ({ b }) => beginRoot(b), done: another, by: "b" },
}

it.each(Object.keys(attacks))(
  "what was decided is not got round by an older state of the server: %s",
  { timeout: 60_000 },
  async (how) => {
    const { before, by, decided, done, way = heal } = attacks[how] as Attack
    const log = await putBackAfter(decided, before)
    const healer = log[by]
    const known = eventsOf(healer.path).map(([, id]) => id)
    const members4 = await members(healer)
    await done(log, log.sqld)
    for (const again of [way, sync, way]) {
      await again(healer).catch(() => {})
      expect((await status(healer)).lastError).toMatchObject({ reason: "damaged" })
      expect(eventsOf(healer.path).map(([, id]) => id)).toEqual(known)
      expect(await servers(healer)).not.toContain("stolen")
    }
    await log.empty()
    await heal(healer)
    expect(await status(healer)).toMatchObject({ lastError: null, pending: 0 })
    expect(eventsOf(healer.path).map(([, id]) => id)).toEqual(known)
    expect(await members(healer)).toEqual(members4)
    await log.close()
  },
)

it("who did not make a decision waits with it for who did, where somebody took its id", {
  timeout: 60_000,
}, async () => {
  const { a, b, c, close, d, sqld } = await putBackAfter(async (at) => {
    await revoked(at)
    await sync(at.b)
  })
  const id = eventsOf(a.path).find((row) => row[4] === "MachineRevoked")?.[1] as string
  await sync(d)
  const [row] = (await d.run(Effect.flatMap(Database, (db) => db.read((conn) => placed(conn, unsigned([draft({ id })])))))) as [EventRow] // biome-ignore format: one line
  await insert(sqld, row)
  const failed = await b.run(Effect.flatMap(Sync, (service) => Effect.flip(service.heal())))
  const told = expect.stringContaining(`somebody took the id of a decision there (position ${row[0]})`)
  expect(failed).toMatchObject({ reason: "damaged", message: told })
  await heal(a)
  await heal(b)
  for (const one of [a, b]) await sync(one)
  for (const one of [a, b]) {
    expect((await members(one)).find(({ machineId }) => machineId === signerOf(c).id)).toMatchObject({
      status: "revoked",
    })
    expect(await status(one)).toMatchObject({ pending: 0, lastError: null })
  }
  expect(eventsOf(b.path)).toEqual(eventsOf(a.path))
  await close()
})

it("whom an admin let in meanwhile, that is one still, is not kept out by heal, nor is who asks", {
  timeout: 60_000,
}, async () => {
  const { a, b, c, close, sqld } = await putBackAfter(
    async (at) => {
      await revoked(at)
    },
    async ({ a, b }) => {
      await a.run(enrol(signerOf(b), "admin"))
      await sync(a)
    },
  )
  // To b the server is as it always was.
  await sync(b)
  const door = await b.run(Effect.flatMap(Database, (db) => Effect.flatMap(db.read((conn) => conn), (conn) => invite(conn)))) // biome-ignore format: one line
  await sync(b)
  const guest = await came("guest", door, sqld)
  await add(guest, "of-guest")
  await sync(guest)
  const asks = machine("asks", remoteLog({ url: sqld.url, token: sqld.token() }))
  await sync(asks).catch(() => {})
  await heal(a)
  for (const one of [b, guest]) await heal(one)
  for (const one of [a, b, guest]) await sync(one)
  for (const one of [a, b, guest]) {
    expect(await servers(one)).toEqual(["alpha", "of-guest"])
    const statuses = (await members(one)).map(({ machineId, status: how }) => [machineId, how])
    expect(statuses).toContainEqual([signerOf(c).id, "revoked"])
    expect(statuses).toContainEqual([signerOf(guest).id, "enrolled"])
    expect(statuses).toContainEqual([signerOf(asks).id, "waiting"])
  }
  for (const one of [guest, asks]) await one.close()
  await close()
})
