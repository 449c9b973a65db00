import { machinesStream } from "@context-engine/core/domain/Machine"
import { invitesOf, isAdmin, isEnrolled, letInBy, mostWaiting } from "@context-engine/core/domain/Membership"
import { describe, expect, it } from "vitest"
import type { EventRow } from "../../src/record.js"
import type { Signer } from "../../src/Signer.js"
import { prove } from "../../src/trust/keys.js"
import { newSession, sealUnit } from "../../src/trust/sealing.js"
import { makeInvite } from "../support/enrolment.js"
import { serverAdded } from "../support/events.js"
import { draft, resigned, rewritten, signed, stranger } from "../support/forger.js"
import { admin, asks, dataOf, log, member, other, root } from "../support/judgedLog.js"

describe("who may write", () => {
  it("is decided by admins alone", () => {
    const { about, members, rootId } = log()
    const refused = ["only an admin machine may decide who writes"]
    const { data } = makeInvite(log().connection)
    expect(about(member, "InviteIssued", data)).toEqual(refused)
    expect(about(member, "MachineEnrolled", dataOf(other))).toEqual(refused)
    expect(about(member, "MachineRevoked", { machineId: root.id, name: "root" })).toEqual(refused)
    expect(about(member, "MachineRenamed", { machineId: root.id, from: "root", to: "x" })).toEqual(refused)
    expect(about(member, "InertAcknowledged", { until: 1, count: 1, places: "" })).toEqual(refused)
    expect(members().root?.eventId).toBe(rootId)
    expect(about(admin, "MachineEnrolled", dataOf(other))).toEqual([undefined])
    expect(isEnrolled(members(), other.id)).toBe(true)
  })

  it("always leaves an admin: the last one is neither revoked nor made less", () => {
    const { about, members } = log()
    expect(about(admin, "MachineRevoked", { machineId: root.id, name: "root" })).toEqual([undefined])
    const last = [expect.stringContaining("the last admin machine")]
    expect(about(admin, "MachineRevoked", { machineId: admin.id, name: "admin" })).toEqual(last)
    expect(about(admin, "MachineEnrolled", dataOf(admin))).toEqual(last)
    expect(isAdmin(members(), admin.id)).toBe(true)
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

    const ends: ReadonlyArray<readonly [string, string, unknown]> = [
      ["was revoked", "MachineRevoked", { machineId: admin.id, name: "admin" }],
      ["is a member now", "MachineEnrolled", dataOf(admin)],
    ]
    for (const [what, type, data] of ends)
      it(`of an admin that ${what} nobody comes in, nor when it is an admin again`, () => {
        const { about, ask, members } = invited(3)
        const early = stranger("early")
        ask(early)
        expect(about(root, type, data)).toEqual([undefined])
        expect(invitesOf(members(), admin.id)).toEqual([])
        ask(other)
        expect(about(root, "MachineEnrolled", { ...dataOf(admin), role: "admin" })).toEqual([undefined])
        const late = stranger("late")
        ask(late)
        const statuses = [early, other, late].map(({ id }) => members().machines.get(id)?.status)
        expect(statuses).toEqual(["enrolled", "waiting", "waiting"])
        expect(letInBy(members(), admin.id).map(({ name }) => name)).toEqual(["early"])
      })

    it("whom it let in stays known as that, whatever those say of each other", () => {
      const { about, ask, data, members } = invited(3)
      const [one, two, three] = ["one", "two", "three"].map((name) => stranger(name)) as [Signer, Signer, Signer]
      for (const who of [one, two])
        expect(about(admin, "MachineEnrolled", { ...dataOf(who), role: "admin" })).toEqual([undefined])
      ask(three)
      expect(members().invites.get(data.inviteId)?.by).toBe(admin.id)
      for (const [by, of] of [
        [one, two],
        [two, one],
        [one, three],
        [two, two],
      ] as const) {
        about(by, "MachineRevoked", { machineId: of.id, name: of.name })
        about(by === of ? one : by, "MachineEnrolled", { ...dataOf(of), role: "admin" })
        expect(
          letInBy(members(), admin.id)
            .map(({ name }) => name)
            .sort(),
        ).toEqual(["one", "three", "two"])
      }
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
