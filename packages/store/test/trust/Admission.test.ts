import { machinesStream } from "@context-engine/core/domain/Machine"
import { isEnrolled, mostWaiting } from "@context-engine/core/domain/Membership"
import { describe, expect, it } from "vitest"
import { seal } from "../../src/append.js"
import type { EventRow } from "../../src/record.js"
import { columns } from "../../src/record.js"
import type { Signer } from "../../src/Signer.js"
import { judge, judgeAfter, takeIncoming } from "../../src/sync/judging.js"
import { prove } from "../../src/trust/keys.js"
import { readMembership } from "../../src/trust/membership.js"
import { newSession, sealUnit } from "../../src/trust/sealing.js"
import { knownAt } from "../../src/trust/verdicts.js"
import { aboutMachines, establish, makeInvite, type Named, request } from "../support/enrolment.js"
import { serverAdded } from "../support/events.js"
import {
  disguises,
  draft,
  payload,
  payloads,
  placed,
  resigned,
  rewritten,
  signed,
  stranger,
  type Target,
  unsigned,
} from "../support/forger.js"
import { memoryDatabase } from "../support/memoryMachine.js"

const [root, member, admin, other] = ["root", "member", "admin", "other"].map(stranger) as [
  Signer,
  Signer,
  Signer,
  Signer,
]

/** A log of one machine with a member and an admin beside it, and a server; what comes then is judged and folded. */
const log = () => {
  const { connection } = memoryDatabase("memory")
  const rootId = establish(connection, root, [member, { ...admin, role: "admin" }])
  const server = draft({ body: serverAdded("alpha").data })
  const take = (rows: ReadonlyArray<EventRow>) => {
    const made = placed(connection, rows)
    const judged = judgeAfter(connection, (made[0] as EventRow)[0] - 1, made)
    if (judged.rows.length > 0) takeIncoming(connection, judged)
    const stored = made.map((row) => connection.prepare("SELECT reason FROM inert WHERE position = ?").get(row[0])?.[0])
    return judged.stop === undefined ? stored : [`stop: ${judged.stop.why}`]
  }
  take(signed([server], root, rootId))
  const target: Target = { root: rootId, victim: member, server: { stream: server.stream, name: "alpha" } }
  const names = () =>
    connection
      .prepare("SELECT name FROM servers ORDER BY name")
      .all()
      .map(([name]) => name)
  const about = (signer: Signer, type: string, data: unknown, more: ReadonlyArray<ReturnType<typeof draft>> = []) =>
    take(signed([draft({ stream: machinesStream, type, body: data }), ...more], signer, rootId))
  const members = () => readMembership(connection)
  return { connection, rootId, take, target, names, about, members }
}

const dataOf = ({ id, name, publicKey }: Named, role = "member") => ({ machineId: id, name, publicKey, role })
const asks = (signer: Signer, proof: unknown = null) => {
  const event = request(signer, proof)
  return seal([{ stream: machinesStream, expected: "any", events: [event] }])
}

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
        "its signature does not hold",
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
    const later = [draft({ stream: machinesStream, type: "MachineEnrolled", schema: 99, body: { all: true } })]
    expect(take(signed(later, stranger(), rootId))).toEqual([expect.stringContaining("nobody has enrolled")])
    expect(take(payload("a root of a later version", target, stranger()))).toEqual([expect.any(String)])
    expect(take(signed(later, member, rootId))).toEqual(["stop: newer"])
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

describe("who may write", () => {
  it("is decided by admins alone", () => {
    const { about, members, rootId } = log()
    const refused = ["only an admin machine may decide who writes"]
    const { data } = makeInvite(log().connection)
    expect(about(member, "InviteIssued", data)).toEqual(refused)
    expect(about(member, "MachineEnrolled", dataOf(other))).toEqual(refused)
    expect(about(member, "MachineRevoked", { machineId: root.id, name: "root" })).toEqual(refused)
    expect(about(member, "MachineRenamed", { machineId: root.id, from: "root", to: "x" })).toEqual(refused)
    expect(about(member, "InertAcknowledged", { until: 1, count: 1 })).toEqual(refused)
    expect(members().root?.eventId).toBe(rootId)
    expect(about(admin, "MachineEnrolled", dataOf(other))).toEqual([undefined])
    expect(isEnrolled(members(), other.id)).toBe(true)
  })

  it("stands alone in its unit", () => {
    const { about } = log()
    const mixed = ["what says who may write stands alone", "what says who may write stands alone"]
    expect(about(root, "MachineEnrolled", dataOf(other), [draft()])).toEqual(mixed)
  })

  it("ends with a revocation, whatever was written before it", () => {
    const { about, rootId, take } = log()
    const before = signed([draft()], member, rootId)
    expect(about(admin, "MachineRevoked", { machineId: member.id, name: "member" })).toEqual([undefined])
    expect(take(before)).toEqual(["machine member was revoked before"])
    expect(take(asks(member).flatMap((one) => signed([one], member, rootId)))).toEqual(["this machine was revoked"])
  })

  it("is not settled by a second root, unless a person here takes it for the right one", () => {
    const { about, members, rootId, take, connection } = log()
    const position = connection.prepare("SELECT max(position) FROM events").get()[0]
    const hash = connection.prepare("SELECT hash FROM events WHERE position = ?").get(position)[0]
    const own = stranger("usurper")
    const body = { ...dataOf(own), cutoff: { position, hash }, machines: [] }
    const event = draft({ stream: machinesStream, type: "RootEstablished", body })
    expect(take(signed([event], own, event.id))).toEqual(["no person on this machine has accepted this root"])
    expect(about(own, "MachineEnrolled", dataOf(other))).toEqual([expect.stringContaining("nobody has enrolled")])
    expect(members().root?.eventId).toBe(rootId)
  })

  it("is asked once a key, and by so many at most", () => {
    const { members, rootId, take } = log()
    const ask = (signer: Signer) => take(asks(signer).flatMap((one) => signed([one], signer, rootId)))
    expect(ask(other)).toEqual([undefined])
    expect(ask(other)).toEqual(["this machine has asked already"])
    for (let i = 1; i < mostWaiting; i++) expect(ask(stranger(`n${i}`))).toEqual([undefined])
    expect(ask(stranger("late"))).toEqual([`${mostWaiting} machines wait for an approval already`])
    expect([...members().machines.values()].filter(({ status }) => status === "enrolled").length).toBe(3)
  })

  it("has names that nobody takes from another", () => {
    const { members, rootId, take } = log()
    const own = stranger("member")
    expect(take(asks(own).flatMap((one) => signed([one], own, rootId)))).toEqual([undefined])
    expect(members().machines.get(own.id)?.name).toBe(`member-${own.id.slice(0, 8)}`)
  })

  describe("with an invite", () => {
    const invited = (uses = 1) => {
      const at = log()
      const { data, secret } = makeInvite(at.connection, { uses })
      expect(at.about(admin, "InviteIssued", data)).toEqual([undefined])
      const ask = (signer: Signer, about: { proof?: string; key?: Signer } = {}) => {
        const proof = about.proof ?? prove(secret, at.rootId, (about.key ?? signer).publicKey)
        return at.take(
          asks(signer, { inviteId: data.inviteId, proof }).flatMap((one) => signed([one], signer, at.rootId)),
        )
      }
      return { ...at, ask, secret, data }
    }

    it("one machine comes in, and the next one waits", () => {
      const { ask, members } = invited()
      const next = stranger("next")
      ask(other)
      ask(next)
      expect([other, next].map(({ id }) => members().machines.get(id)?.status)).toEqual(["enrolled", "waiting"])
    })

    it("the proof of another key serves nobody", () => {
      const { ask, members } = invited(2)
      const thief = stranger("thief")
      ask(other)
      ask(thief, { key: other })
      expect(members().machines.get(thief.id)?.status).toBe("waiting")
    })

    it("that was closed nobody comes in", () => {
      const { about, ask, data, members } = invited()
      expect(about(admin, "InviteClosed", { inviteId: data.inviteId, reason: "withdrawn" })).toEqual([undefined])
      ask(other)
      expect(members().machines.get(other.id)?.status).toBe("waiting")
    })

    it("whoever was revoked does not come back", () => {
      const { about, ask, members } = invited(2)
      ask(other)
      about(admin, "MachineRevoked", { machineId: other.id, name: "other" })
      expect(ask(other)).toEqual(["this machine was revoked"])
      expect(members().machines.get(other.id)?.status).toBe("revoked")
    })
  })
})

describe("the running numbers of a machine", () => {
  const chained = () => {
    const at = log()
    let chain = newSession(member.id, at.rootId)
    const units = ["one", "two", "three"].map((name) => {
      const sealed = sealUnit([draft({ body: serverAdded(name).data })], member, chain)
      chain = sealed.chain as typeof chain
      return sealed.rows
    }) as [ReadonlyArray<EventRow>, ReadonlyArray<EventRow>, ReadonlyArray<EventRow>]
    const breaks = () => at.connection.prepare("SELECT position, message FROM breaks ORDER BY position").all()
    return { ...at, units, breaks }
  }

  it("say nothing where nothing is missing", () => {
    const { breaks, take, units } = chained()
    for (const unit of units) expect(take(unit)).toEqual([undefined])
    expect(breaks()).toEqual([])
  })

  it("show a unit that is left out, and one that comes too late; both count", () => {
    const {
      breaks,
      take,
      units: [one, two, three],
    } = chained()
    expect([one, three, two].flatMap(take)).toEqual([undefined, undefined, undefined])
    expect(breaks()).toEqual([
      [4, "1 of what member wrote before it is missing"],
      [5, expect.stringContaining("member has written unit 2 of a session before")],
    ])
  })

  it("show a unit after another one than it was written after", () => {
    const {
      breaks,
      rootId,
      take,
      units: [one, two],
    } = chained()
    const about = JSON.parse((one[0] as EventRow)[7])
    const instead = resigned(one.map((row) => rewritten(row, { id: draft().id, stream: draft().stream, data: JSON.stringify(serverAdded("instead").data), meta: JSON.stringify(about) })), member, rootId) // biome-ignore format: one unit
    expect([instead, two].flatMap(take)).toEqual([undefined, undefined])
    expect(breaks()).toEqual([[4, "what member wrote before it is not what is there"]])
  })

  it("are those of a session: jobs with one key that run at the same time look like nothing special", () => {
    const { breaks, rootId, take } = chained()
    for (const name of ["a", "b"]) take(signed([draft({ body: serverAdded(name).data })], member, rootId))
    expect(breaks()).toEqual([])
  })
})

it("the rows of a log have the columns that are judged", () => {
  expect(columns.split(", ").length).toBe(14)
  expect(aboutMachines({ type: "x", schema: 1 }, {}).type).toBe("x")
})
