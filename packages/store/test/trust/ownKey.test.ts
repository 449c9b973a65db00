/** What somebody with the token and a key of its own can append: it stops nobody, and takes nothing with it. */
import { machinesStream } from "@context-engine/core/domain/Machine"
import { describe, expect, it } from "vitest"
import { columns, type EventRow } from "../../src/record.js"
import type { Signer } from "../../src/Signer.js"
import { readStanding, writeSigning } from "../../src/standing.js"
import { judge, judgeAfter, takeIncoming } from "../../src/sync/judging.js"
import { chainOfKey, newSession, sealUnit } from "../../src/trust/sealing.js"
import { findRoots, knownAt } from "../../src/trust/verdicts.js"
import { serverAdded } from "../support/events.js"
import { draft, placed, rewritten, signed, stranger } from "../support/forger.js"
import { asks, dataOf, log, member } from "../support/judgedLog.js"

type Log = ReturnType<typeof log>

const serverOf = (name: string, { rootId }: Log) => signed([draft({ body: serverAdded(name).data })], member, rootId)

/** Its wish to be let in, and its wish to be the root: what the rule hears of a key that nobody enrolled. */
const wishes: Readonly<Record<string, (at: Log, own: Signer) => ReadonlyArray<EventRow>>> = {
  "a request to be enrolled": ({ rootId }, own) => asks(own).flatMap((one) => signed([one], own, rootId)),
  "another root": ({ connection }, own) => {
    const [position, hash] = connection
      .prepare("SELECT position, hash FROM events ORDER BY position DESC LIMIT 1")
      .get()
    const body = { ...dataOf(own), cutoff: { position, hash }, machines: [] }
    const event = draft({ stream: machinesStream, type: "RootEstablished", body })
    return signed([event], own, event.id)
  },
}

/** Other values than those that were signed, by the column; `hash` is not signed, and must follow from what precedes. */
const others: Readonly<Record<string, unknown>> = {
  id: "01900000-0000-7000-8000-00000000abcd",
  type: "MachineEnrolled",
  schema: 99,
  data: "{}",
  meta: "{}",
  occurred_at: "2025-01-01T00:00:00.000Z",
  hash: "0".repeat(64),
  signature: "AAAA",
  salt: "00",
  digest: "0".repeat(64),
}

const cases = Object.keys(wishes).flatMap((wish) => Object.keys(others).map((column) => [wish, column] as const))

describe("a wish that was changed after it was signed is inert, and the log goes on", () => {
  it.each(cases)("%s: %s", (wish, column) => {
    const at = log()
    const before = at.members()
    const [made] = placed(at.connection, (wishes[wish] as (typeof wishes)[string])(at, stranger())) as [EventRow]
    const index = columns.split(",").findIndex((name) => name.trim() === column)
    const changed = made.with(index, others[column] as string) as unknown as EventRow
    const { stop, units } = judge(knownAt(at.connection, changed[0] - 1), [changed])
    expect(stop).toBeUndefined()
    expect(units.map(({ asksToBeRoot, judged }) => [judged.verdict, asksToBeRoot === true])).toEqual([["inert", false]])
    // The same where it stands in the log, as this machine stores it.
    takeIncoming(at.connection, judgeAfter(at.connection, changed[0] - 1, [changed]))
    expect(at.take(serverOf("beta", at))).toEqual([undefined])
    expect(at.names()).toEqual(["alpha", "beta"])
    expect(at.members()).toEqual(before)
  })
})

describe("a copy of a unit's signature takes nothing of the unit with it", () => {
  const pair = (at: Log) =>
    signed([draft({ body: serverAdded("one").data }), draft({ body: serverAdded("two").data })], member, at.rootId)
  const single = (at: Log) => serverOf("one", at)

  /** A row under the unit's signature that says it is the first of so many. */
  const copy = (unit: ReadonlyArray<EventRow>, count: number): EventRow => {
    const [first] = unit as [EventRow]
    const meta = JSON.stringify({ ...JSON.parse(first[7]), count })
    const { id, stream } = draft()
    return rewritten(first, { id, stream, meta })
  }

  it.each([
    ["one event", single, 2],
    ["one event", single, 9],
    ["two events", pair, 1],
    ["two events", pair, 2],
    ["two events", pair, 3],
    ["two events", pair, 9],
  ] as const)("before a unit of %s (%#)", (_, make, count) => {
    for (const copies of [1, 2, 7]) {
      const at = log()
      const unit = make(at)
      const noise = Array.from({ length: copies }, () => copy(unit, count))
      const told = at.take([...noise, ...unit, copy(unit, count)])
      expect(told.slice(0, copies).every((reason) => typeof reason === "string")).toBe(true)
      expect(told.slice(copies, copies + unit.length)).toEqual(unit.map(() => undefined))
      expect(typeof told.at(-1)).toBe("string")
      expect(at.names()).toEqual(["alpha", "one", ...(unit.length === 2 ? ["two"] : [])])
    }
  })

  it("wherever a page of the log ends", () => {
    for (const parted of [1, 2, 3]) {
      const at = log()
      const unit = pair(at)
      const rows = [copy(unit, 3), copy(unit, 2), ...unit]
      at.take(rows.slice(0, parted))
      at.take(rows.slice(parted))
      expect(at.names(), String(parted)).toEqual(["alpha", "one", "two"])
    }
  })

  it("however many there are, in a time that is bounded", () => {
    const at = log()
    const unit = pair(at)
    const started = performance.now()
    at.take([...Array.from({ length: 5_000 }, () => copy(unit, 100_000)), ...unit])
    at.take([...Array.from({ length: 20_000 }, () => copy(unit, 2)), copy(unit, 3)])
    expect(performance.now() - started).toBeLessThan(20_000)
    expect(at.names()).toEqual(["alpha", "one", "two"])
  })
})

describe("any number of wishes", () => {
  it("keep no root from being found by who is asked about it", () => {
    const at = log()
    const ask = (own: Signer) => at.take((wishes["another root"] as (typeof wishes)[string])(at, own))
    for (let n = 0; n < 30; n++) ask(stranger(`noise${n}`))
    const honest = stranger("honest")
    ask(honest)
    expect(findRoots(at.connection).map(({ publicKey }) => publicKey)).toContain(honest.publicKey)
    expect(findRoots(at.connection).length).toBe(31)
  })

  it("leave out a root that bears the key of somebody else", () => {
    const at = log()
    const [own, honest] = [stranger(), stranger()]
    const rows = (wishes["another root"] as (typeof wishes)[string])(at, { ...own, publicKey: honest.publicKey })
    expect(at.take(rows)).toEqual([expect.any(String)])
    expect(findRoots(at.connection)).toEqual([])
  })
})

it("a machine that wrote more than its file knows begins a chain of its own", () => {
  const at = log()
  const chain = newSession(member.id, at.rootId)
  writeSigning(at.connection, chain)
  expect(chainOfKey(readStanding(at.connection).own, member)).toMatchObject({ session: chain.session, number: 0 })
  const first = sealUnit([draft({ body: serverAdded("one").data })], member, chain)
  at.take(first.rows)
  // The file was put back as it was before that, and got it from the shared log again.
  expect(chainOfKey(readStanding(at.connection).own, member)).toBeUndefined()
  writeSigning(at.connection, first.chain as typeof chain)
  expect(chainOfKey(readStanding(at.connection).own, member)).toMatchObject({ session: chain.session, number: 1 })
})
