/** What a machine signed, on its way to another place: bytes that stay, numbers without a gap, and two places with one key. */
import { cpSync } from "node:fs"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { Database } from "../../src/Database.js"
import type { EventRow } from "../../src/record.js"
import { restore } from "../../src/restore.js"
import { make } from "../../src/sync/RemoteLog.js"
import { chainOf } from "../../src/trust/chain.js"
import { damaged, withNoise } from "../support/audited.js"
import { serverAdded } from "../support/events.js"
import { freshPath, withSqlite } from "../support/files.js"
import { draft, resigned, rewritten, signed, slipIn, unsigned } from "../support/forger.js"
import {
  add,
  beginLog,
  eventsOf,
  type Machine,
  machine,
  rowsHash,
  servers,
  signerOf,
  status,
  sync,
  verify,
} from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"

const started = async () => {
  const remote = make("memory", makeSequencer().batch)
  const [a, b, c] = ["a", "b", "c"].map((name) => machine(name, remote)) as [Machine, Machine, Machine]
  await beginLog(a, b, c)
  for (const one of [a, b, c]) await sync(one)
  return { remote, a, b, c }
}

/** What was signed of an event: all but its place. */
const signedPart = (path: string, name: string) =>
  eventsOf(path)
    .filter((row) => row[4] === "ServerAdded" && JSON.parse(row[6]).name === name)
    .map((row) => [row[1], row[6], row[7], row[8], row[11], row[12], row[13]])

/** The running numbers of every session, in the order of the log. */
const numbersOf = (path: string) => {
  const numbers = new Map<string, Array<number>>()
  for (const row of eventsOf(path)) {
    const chain = chainOf(row)
    if (chain === undefined) continue
    const id = `${chain.key} ${chain.session}`
    const known = numbers.get(id) ?? []
    if (known.at(-1) !== chain.number) numbers.set(id, [...known, chain.number])
  }
  return [...numbers.values()]
}
const gapless = (length: number) => Array.from({ length }, (_, i) => i + 1)

it("what stands keeps every byte that was signed, whatever came before it", async () => {
  const { a, b, c } = await started()
  for (const name of ["b1", "b2", "b3"]) await add(b, name)
  const before = ["b1", "b2", "b3"].map((name) => signedPart(b.path, name))
  await add(a, "a1")
  await sync(a)
  expect(await sync(b)).toMatchObject({ moved: 3, rejected: [] })
  await sync(c)
  for (const one of [b, c]) expect(["b1", "b2", "b3"].map((name) => signedPart(one.path, name))).toEqual(before)
  expect(await verify(c)).toMatchObject({ ok: true, findings: [] })
})

it("what comes after a command that is refused is signed anew, and no number is missing to anybody", async () => {
  const { a, b, c } = await started()
  for (const name of ["b1", "same", "b2"]) await add(b, name)
  const [first, last] = [signedPart(b.path, "b1"), signedPart(b.path, "b2")]
  await add(a, "same")
  await sync(a)
  expect(await sync(b)).toMatchObject({ rejected: [{ outcome: "refused" }] })
  for (const one of [a, c]) await sync(one)
  expect(signedPart(c.path, "b1")).toEqual(first)
  // The same event, id, data and time; another signature, for the unit before it is another one.
  expect(signedPart(c.path, "b2")[0]?.slice(0, 2)).toEqual(last[0]?.slice(0, 2))
  expect(signedPart(c.path, "b2")[0]?.[4]).not.toBe(last[0]?.[4])
  expect(numbersOf(c.path).every((found) => JSON.stringify(found) === JSON.stringify(gapless(found.length)))).toBe(true)
  for (const one of [a, b, c]) {
    expect(await status(one)).toMatchObject({ breaks: [], inert: 0 })
    expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
  }
})

it("two places with one key are noticed, and nothing honest is inert", async () => {
  const { a, b, c, remote } = await started()
  await add(b, "before")
  await sync(b)
  await b.close()
  withSqlite(b.path, (database) => database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all())
  const path = freshPath()
  for (const end of ["", ".key"]) cpSync(`${b.path}${end}`, `${path}${end}`)
  const [own, copy] = [machine("b", remote, { path: b.path }), machine("b", remote, { path })]
  for (const [one, name] of [
    [own, "own"],
    [copy, "copy"],
  ] as const)
    for (const i of [1, 2]) await add(one, `${name}${i}`)
  for (const one of [own, copy, own, a, c]) await sync(one)
  const told = await copy.run(Effect.flatMap(Sync, (service) => service.log()))
  const noticed = told.filter(({ what }) => what === "cloned")
  expect(noticed.length).toBe(1)
  expect((await status(copy)).clonedAt).toBe(noticed[0]?.at)
  expect((await status(a)).clonedAt).toBeNull()
  // Of a copy that is restored it is not known: it may be on another machine, or have another key.
  const place = freshPath()
  await Effect.runPromise(restore(copy.path, place))
  const restored = machine("d", undefined, { path: place })
  expect((await status(restored)).clonedAt).toBeNull()
  await restored.close()
  for (const one of [own, copy, a, c]) {
    expect(rowsHash(one.path)).toBe(rowsHash(a.path))
    expect(eventsOf(one.path)).toEqual(eventsOf(a.path))
    expect(await status(one)).toMatchObject({ inert: 0, pending: 0 })
    expect(await verify(one)).toMatchObject({ inert: 0, unsigned: 0 })
  }
  expect(signedPart(c.path, "copy2").length).toBe(1)
  for (const one of [own, copy, a, c]) await one.close()
})

const evil = () => draft({ body: serverAdded("evil").data })
const doctored: Readonly<Record<string, (one: Machine) => ReadonlyArray<EventRow>>> = {
  "that nobody signed": () => unsigned([evil()]),
  "in the format of before, that nobody signed": () =>
    unsigned([evil()]).map((row) => rewritten(row, { salt: null, digest: null })),
  "under a signature of something else": (one) =>
    signed([evil()], signerOf(one), "x").map((row) => rewritten(row, { signature: "AAAA" })),
  "for another log": (one) => resigned(signed([evil()], signerOf(one), "x"), signerOf(one), "another"),
}

it.each(Object.keys(doctored))("what was put into a file %s is not signed on its way", async (how) => {
  const { a, b, c } = await started()
  for (const one of [a, c]) withNoise(one.path)
  // Its own audit says so: what bears its key it takes for its own.
  damaged(b.path)
  const rows = (doctored[how] as (typeof doctored)[string])(b)
  await b.run(Effect.flatMap(Database, (database) => database.write((connection) => slipIn(connection, rows))))
  await add(b, "honest")
  await add(a, "first")
  await sync(a)
  await b.run(Effect.either(Effect.flatMap(Sync, (service) => service.now())))
  for (const one of [a, c]) await sync(one)
  for (const one of [a, c]) {
    const names = await servers(one)
    expect(names).toContain("first")
    expect(names).not.toContain("evil")
    const found = eventsOf(one.path).filter((row) => row[6].includes("evil"))
    const there = (await status(one)).inertEvents.map(({ position }) => position)
    expect(there).toEqual(found.map(([position]) => position))
  }
  for (const one of [a, b, c]) await one.close()
})
