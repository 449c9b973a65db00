import { machinesStream } from "@context-engine/core/domain/Machine"
import { describe, expect, it } from "vitest"
import type { EventRow } from "../../src/record.js"
import { columns } from "../../src/record.js"
import { judge } from "../../src/sync/judging.js"
import { knownAt } from "../../src/trust/verdicts.js"
import { aboutMachines } from "../support/enrolment.js"
import { serverAdded } from "../support/events.js"
import {
  disguises,
  draft,
  payload,
  payloads,
  placed,
  rewritten,
  signed,
  stranger,
  unsigned,
} from "../support/forger.js"
import { log, member, root } from "../support/judgedLog.js"

describe("what an enrolled machine signed", () => {
  it("counts", () => {
    const { names, rootId, take } = log()
    expect(take(signed([draft({ body: serverAdded("beta").data })], member, rootId))).toEqual([undefined])
    expect(names()).toEqual(["alpha", "beta"])
  })

  it("counts after an event that does not, which takes nothing with it", () => {
    const { names, rootId, take, target } = log()
    for (const name of Object.keys(disguises)) {
      take((disguises[name] as (typeof disguises)[string])(target))
      expect(
        take(signed([draft({ body: serverAdded(`after ${name}`.replace(/\W+/g, "-")).data })], member, rootId)),
        name,
      ).toEqual([undefined])
    }
    expect(names().length).toBe(1 + Object.keys(disguises).length)
  })

  it("is kept, said and counted where only a newer version knows it", () => {
    const { rootId, take, target, connection, names } = log()
    for (const name of ["schema 999999", "a type that nobody knows"])
      expect(take(payload(name, target, member))).toEqual([undefined])
    const judged = judge(
      knownAt(connection, 4),
      placed(connection, signed([draft({ schema: 999_999 })], member, rootId)),
    )
    expect(judged.units[0]?.judged).toMatchObject({ verdict: "counts", unknown: ["ServerAdded@999999"] })
    expect(names()).toEqual(["alpha"])
  })
})

describe("what somebody else appended is inert", () => {
  it.each(Object.keys(disguises))("%s", (name) => {
    const { members, names, take, target } = log()
    const before = members()
    const reasons = take((disguises[name] as (typeof disguises)[string])(target))
    expect(reasons.every((reason) => typeof reason === "string" && reason.length > 10)).toBe(true)
    expect(names()).toEqual(["alpha"])
    expect(members()).toEqual(before)
  })

  it.each(Object.keys(payloads))("%s, unsigned", (name) => {
    const { names, take, target } = log()
    expect(take(payload(name, target))).toEqual(["it is not signed"])
    expect(names()).toEqual(["alpha"])
  })

  it.each(Object.keys(payloads))("%s, under a key that nobody enrolled", (name) => {
    const { names, take, target } = log()
    expect(take(payload(name, target, stranger()))).toEqual([expect.any(String)])
    expect(names()).toEqual(["alpha"])
  })

  const reasons: Readonly<Record<string, (at: ReturnType<typeof log>) => readonly [ReadonlyArray<EventRow>, string]>> =
    {
      unsigned: () => [unsigned([draft()]), "it is not signed"],
      "an unknown key": ({ rootId }) => [
        signed([draft()], stranger(), rootId),
        "it is signed with a key that nobody has enrolled",
      ],
      "a wrong signature": ({ rootId }) => [
        signed([draft()], { ...stranger(), id: member.id }, rootId),
        "its signature does not hold",
      ],
      "another log's": () => [
        signed([draft()], member, "01900000-0000-7000-8000-0000000000ff"),
        "its signature does not hold",
      ],
      "changed data": ({ rootId }) => [
        signed([draft()], member, rootId).map((row) => rewritten(row, { data: "{}" })),
        "its signature does not hold",
      ],
      "a changed time": ({ rootId }) => [
        signed([draft()], member, rootId).map((row) => rewritten(row, { occurredAt: "2025-01-01T00:00:00.000Z" })),
        "its signature does not hold",
      ],
      "a unit that is not whole": ({ rootId }) => [
        signed([draft(), draft()], member, rootId).slice(0, 1),
        "the unit that it belongs to is not whole",
      ],
      "a unit without its beginning": ({ rootId }) => [
        signed([draft(), draft()], member, rootId).slice(1),
        "the unit that it belongs to is not whole",
      ],
      "a unit in another order": ({ rootId }) => [
        [...signed([draft(), draft()], member, rootId)].reverse(),
        "the unit that it belongs to is not whole",
      ],
    }
  it.each(Object.keys(reasons))("%s, and says why", (name) => {
    const at = log()
    const [rows, reason] = (reasons[name] as (typeof reasons)[string])(at)
    expect(at.take(rows)).toEqual(rows.map(() => reason))
    expect(at.names()).toEqual(["alpha"])
  })
})

describe("what does not fit its shape is inert, whoever signed it", () => {
  /** What an enrolled machine may say, for all that its shape tells. */
  const fits = new Set([
    "schema 999999",
    "a type that nobody knows",
    "a type that objects have",
    "a change of what is there",
    "a change of nothing",
    "a removal of nothing",
  ])
  it.each(
    Object.keys(payloads).filter(
      (name) => !fits.has(name) && !/later version|duplicate|digest of|digest without/.test(name),
    ),
  )("%s", (name) => {
    const { names, take, target } = log()
    expect(take(payload(name, target, member))).toEqual([expect.any(String)])
    expect(names()).toEqual(["alpha"])
  })

  it("what would take a name that is taken", () => {
    const { names, take, target } = log()
    expect(take(payload("a duplicate name", target, member))).toEqual(["it cannot stand beside what is there"])
    expect(names()).toEqual(["alpha"])
  })

  it("but a way to say who may write that only a newer version knows holds everything up", () => {
    const { rootId, take, target } = log()
    const later = () => [draft({ stream: machinesStream, type: "MachineEnrolled", schema: 99, body: { all: true } })]
    expect(take(signed(later(), stranger(), rootId))).toEqual([expect.stringContaining("nobody has enrolled")])
    expect(take(payload("a root of a later version", target, stranger()))).toEqual([expect.any(String)])
    // Nor does a member stop anybody: it may not decide.
    expect(take(signed(later(), member, rootId))).toEqual(["only an admin machine may decide who writes"])
    expect(take(signed(later(), root, rootId))).toEqual(["stop: newer"])
  })
})

describe("data that is not what its digest stands for", () => {
  const altered = { data: "{}", digest: "0".repeat(64) }
  it("is nothing to judge where the signature holds: others have what was written under the same hash", () => {
    const { names, rootId, take } = log()
    const [row] = signed([draft()], member, rootId) as [EventRow]
    expect(take([rewritten(row, { data: "{}", digest: row[13] })])).toEqual(["stop: altered"])
    expect(names()).toEqual(["alpha"])
  })

  it("is inert where it does not", () => {
    const { rootId, take } = log()
    expect(take(signed([draft()], member, rootId).map((row) => rewritten(row, altered)))).toEqual([
      "its signature does not hold",
    ])
  })
})

describe("the same answer however the log was read", () => {
  const removed = (stream: string, name: string) => draft({ stream, type: "ServerRemoved", body: { name } })

  it("where units clash with what a later one takes away", () => {
    const [all, single] = [log(), log()]
    const verdicts = [all, single].map(({ rootId, take, target }, index) => {
      const units = [
        signed([draft({ body: serverAdded("alpha").data })], member, rootId),
        signed([removed(target.server.stream, "alpha")], member, rootId),
      ]
      return (index === 0 ? take(units.flat()) : units.flatMap(take)).map((reason) => typeof reason)
    })
    expect(verdicts[0]).toEqual(verdicts[1])
    expect(all.names()).toEqual(single.names())
  })

  it("where the server showed only a part of a unit at first", () => {
    const [all, parts] = [log(), log()]
    for (const [index, { rootId, take }] of [all, parts].entries()) {
      const unit = signed([draft({ body: serverAdded("b1").data }), draft({ body: serverAdded("b2").data }), draft({ body: serverAdded("b3").data })], member, rootId) // biome-ignore format: one unit
      if (index === 0) take(unit)
      else for (const row of unit) take([row])
    }
    expect(parts.names()).toEqual(all.names())
    expect(parts.connection.prepare("SELECT * FROM inert").all()).toEqual(
      all.connection.prepare("SELECT * FROM inert").all(),
    )
  })
})

it("the rows of a log have the columns that are judged", () => {
  expect(columns.split(", ").length).toBe(14)
  expect(aboutMachines({ type: "x", schema: 1 }, {}).type).toBe("x")
})
