/**
 * Who may write to a log: the fold of the events of `machine-all`, in the order of the log.
 *
 * `admit` is the whole rule. It is a plain function, so that every machine comes to the same answer; what needs cryptography
 * (whether a proof holds) and what a person decided here (which root is ours) come in with the event.
 */
import * as Either from "effect/Either"
import type { Event } from "../Event.js"
import {
  EnrolmentRequested,
  InertAcknowledged,
  InviteClosed,
  InviteIssued,
  MachineEnrolled,
  MachineRenamed,
  MachineRevoked,
  membershipTypes,
  type Role,
  RootEstablished,
} from "./Machine.js"

/** A key that is, was, or asks to be enrolled. */
export interface Member {
  readonly machineId: string
  readonly name: string
  readonly publicKey: string
  readonly role: Role
  readonly status: "enrolled" | "waiting" | "revoked"
  /** Where in the log it came to this status. */
  readonly position: number
  /** The machine that enrolled or revoked it: its id; `null` where it was by an invite, or is the root. */
  readonly by: string | null
  /** The invite it came by. */
  readonly invite: string | null
  /** All machines that ever gave it a right, by their word or an invite: no later word takes one of them off. */
  readonly through: ReadonlyArray<string>
}

export interface Invite {
  readonly inviteId: string
  readonly publicKey: string
  readonly role: Role
  readonly uses: number
  readonly left: number
  /** Best effort: the log's order decides, so an invite ends when it is used up or closed by an event. */
  readonly expiresAt: string
  /** The admin machine that made it: its id. Where that is no admin any more, nobody comes by what it made. */
  readonly by: string
  readonly closed: boolean
}

/** The root that counts: its event, its key, and up to where everything before it is accepted. */
export interface Root {
  readonly eventId: string
  readonly machineId: string
  readonly position: number
  readonly cutoff: number
}

export interface Membership {
  readonly root: Root | null
  readonly machines: ReadonlyMap<string, Member>
  readonly invites: ReadonlyMap<string, Invite>
  /** What admins have seen of what counts for nothing: up to where, and the name of all such places up to there. */
  readonly acknowledged: ReadonlyArray<{ readonly until: number; readonly digest: string }>
  /** Who could write under each root before this one, as that was when the next began. */
  readonly earlier: ReadonlyArray<{ readonly root: string; readonly machines: Membership["machines"] }>
}

export const nobody: Membership = {
  root: null,
  machines: new Map(),
  invites: new Map(),
  acknowledged: [],
  earlier: [],
}

/** So many keys may wait for an approval; who asks after that is not heard until some are settled. */
export const mostWaiting = 20

/** An event as the rule sees it: which, where, and whose key signed it. */
export interface Submitted {
  readonly id: string
  readonly position: number
  readonly event: Event
  readonly signer: string
  /** Whether the key of an invite signed a newcomer's public key, for the log with a root. */
  readonly proves: (
    proof: string,
    by: { readonly invite: string; readonly root: string; readonly key: string },
  ) => boolean
  /** Whether this machine takes a root for the right one. */
  readonly accepts: (root: { readonly eventId: string; readonly machineId: string }) => boolean
}

/** Whether no other machine is heard that asks without an invite. */
export const isFull = (state: Membership): boolean =>
  [...state.machines.values()].filter(({ status }) => status === "waiting").length >= mostWaiting

/** Whether a machine may write now. */
export const isEnrolled = (state: Membership, machineId: string): boolean =>
  state.machines.get(machineId)?.status === "enrolled"

/** Whether a machine may decide who writes. */
export const isAdmin = (state: Membership, machineId: string): boolean =>
  isEnrolled(state, machineId) && state.machines.get(machineId)?.role === "admin"

/** Whether nobody could decide who writes if this machine could not: then it has to go on being able to. */
export const isLastAdmin = (state: Membership, machineId: string): boolean =>
  isAdmin(state, machineId) && ![...state.machines.keys()].some((id) => id !== machineId && isAdmin(state, id))

/** The machines that decide who writes, by their names. */
export const adminsOf = ({ machines }: Pick<Membership, "machines">): ReadonlyArray<string> =>
  [...machines.values()].filter(({ role, status }) => role === "admin" && status === "enrolled").map(({ name }) => name)

/** Why the last admin stays one, with the way out. */
export const lastAdmin =
  "it is the last admin machine, and nobody could decide who writes after it: first make another machine an admin (context infra sync invite --admin, or machine approve <name> --admin)"

/** Why a root counts for nothing that somebody has to be asked about. */
export const unaccepted = "no person on this machine has accepted this root"

/** Whether words about an event are about a root that waits for a person's: that is no matter of acknowledging. */
export const isOfWaitingRoot = (message: string): boolean => message.includes(unaccepted)

/** The members after an event of `machine-all`, or why the event counts for nothing. */
export const admit = (state: Membership, submitted: Submitted): Either.Either<Membership, string> => {
  const { event, signer } = submitted
  if (!membershipTypes.has(event.type)) return Either.right(state)
  if (event.type === RootEstablished.type) return establish(state, submitted)
  if (event.type === EnrolmentRequested.type) return request(state, submitted)
  if (!isAdmin(state, signer)) return Either.left("only an admin machine may decide who writes")
  return decided(state, submitted)
}

const establish = (state: Membership, { accepts, event, id, position, signer }: Submitted) => {
  const { cutoff, machineId, machines, name, publicKey } = (event as DataOf<typeof RootEstablished>).data
  if (machineId !== signer) return Either.left("a root is established by its own key alone")
  if (cutoff.position >= position) return Either.left("its cut-off is not before it")
  if (!accepts({ eventId: id, machineId })) return Either.left(unaccepted)
  const found = new Map<string, Member>()
  const own = { machineId, name, publicKey, role: "admin" as const }
  for (const one of [own, ...machines]) {
    const called = freeName({ machines: found }, one.name, one.machineId)
    found.set(one.machineId, {
      ...one,
      name: called,
      status: "enrolled",
      position,
      by: null,
      invite: null,
      through: [],
    })
  }
  // Who was turned away stays so, under any root, until an admin says otherwise.
  for (const one of state.machines.values())
    if (one.status === "revoked" && !found.has(one.machineId))
      found.set(one.machineId, { ...one, name: freeName({ machines: found }, one.name, one.machineId) })
  const root = { eventId: id, machineId, position, cutoff: cutoff.position }
  const before = state.root === null ? [] : [{ root: state.root.eventId, machines: state.machines }]
  const earlier = [...state.earlier, ...before]
  return Either.right<Membership>({ ...state, root, machines: found, invites: new Map(), earlier })
}

const request = (state: Membership, { event, position, proves, signer }: Submitted) => {
  const { invite: shown, machineId, name, publicKey } = (event as DataOf<typeof EnrolmentRequested>).data
  if (machineId !== signer) return Either.left("a machine asks for itself alone")
  if (state.root === null) return Either.left("this log has no root yet")
  const before = state.machines.get(machineId)
  if (before?.status === "enrolled") return Either.left("this machine is enrolled already")
  if (before?.status === "revoked") return Either.left("this machine was revoked")
  const invite = shown === null ? undefined : state.invites.get(shown.inviteId)
  const proven =
    invite !== undefined &&
    proves(shown?.proof ?? "", { invite: invite.publicKey, root: state.root.eventId, key: publicKey })
  const invited = proven && isOpen(invite)
  if (!invited) {
    if (before !== undefined) return Either.left("this machine has asked already")
    if (isFull(state)) return Either.left(`${mostWaiting} machines wait for an approval already`)
  }
  const member: Member = {
    machineId,
    name: freeName(state, name, machineId),
    publicKey,
    role: invited ? invite.role : "member",
    status: invited ? "enrolled" : "waiting",
    position,
    by: null,
    invite: invited ? invite.inviteId : null,
    through: [...(before?.through ?? []), ...(invited ? [invite.by] : [])],
  }
  const invites = invited
    ? new Map(state.invites).set(invite.inviteId, { ...invite, left: invite.left - 1 })
    : state.invites
  return Either.right<Membership>({ ...state, invites, machines: withMember(state, member) })
}

/** Whether somebody may still come by it, as far as the log says. */
export const isOpen = (invite: Invite): boolean => !invite.closed && invite.left > 0

/** The invites that a machine made, which nobody has used up yet. */
export const invitesOf = ({ invites }: Membership, machineId: string): ReadonlyArray<Invite> =>
  [...invites.values()].filter((invite) => invite.by === machineId && isOpen(invite))

/** Who may not decide any more lets nobody in by what it decided to give away before: the code may be in whose hands the key is. */
const withoutInvitesOf = (state: Membership, machineId: string): Membership["invites"] =>
  new Map([...state.invites].map(([id, one]) => [id, one.by === machineId ? { ...one, closed: true } : one]))

/** The machines that got a right by the word of another, approved by it or with an invite that it made, and those that they let in. */
export const letInBy = ({ machines }: Membership, machineId: string): ReadonlyArray<Member> => {
  const found = new Set([machineId])
  const isNew = ({ machineId: id, through }: Member) => !found.has(id) && through.some((one) => found.has(one))
  for (let next = [...machines.values()].filter(isNew); next.length > 0; next = [...machines.values()].filter(isNew))
    for (const { machineId: id } of next) found.add(id)
  return [...machines.values()].filter(
    ({ machineId: id, status }) => id !== machineId && found.has(id) && status === "enrolled",
  )
}

/** What only an admin may say. */
const decided = (state: Membership, { event, position, signer }: Submitted): Either.Either<Membership, string> => {
  switch (event.type) {
    case InviteIssued.type: {
      const data = (event as DataOf<typeof InviteIssued>).data
      if (state.invites.has(data.inviteId)) return Either.left("this invite is there already")
      const invite = { ...data, left: data.uses, by: signer, closed: false }
      return Either.right({ ...state, invites: new Map(state.invites).set(data.inviteId, invite) })
    }
    case InviteClosed.type: {
      const invite = state.invites.get((event as DataOf<typeof InviteClosed>).data.inviteId)
      if (invite === undefined) return Either.left("there is no such invite")
      return Either.right({
        ...state,
        invites: new Map(state.invites).set(invite.inviteId, { ...invite, closed: true }),
      })
    }
    case MachineEnrolled.type: {
      const { machineId, name, publicKey, role } = (event as DataOf<typeof MachineEnrolled>).data
      const known = state.machines.get(machineId)
      if (known !== undefined && known.publicKey !== publicKey) return Either.left("its key is not the one that asked")
      if (role !== "admin" && isLastAdmin(state, machineId)) return Either.left(lastAdmin)
      const called = freeName(state, name, machineId)
      const had = known?.status === "enrolled" && (known.role === role || role === "member")
      const through = [...(known?.through ?? []), ...(had ? [] : [signer])]
      const member = {
        machineId,
        name: called,
        publicKey,
        role,
        status: "enrolled",
        position,
        by: signer,
        through,
      } as const
      const invites = role === "admin" ? state.invites : withoutInvitesOf(state, machineId)
      return Either.right({ ...state, invites, machines: withMember(state, { ...member, invite: null }) })
    }
    case MachineRevoked.type: {
      const { machineId } = (event as DataOf<typeof MachineRevoked>).data
      const known = state.machines.get(machineId)
      if (known === undefined) return Either.left("there is no such machine")
      if (isLastAdmin(state, machineId)) return Either.left(lastAdmin)
      return Either.right({
        ...state,
        invites: withoutInvitesOf(state, machineId),
        machines: withMember(state, { ...known, status: "revoked", position, by: signer }),
      })
    }
    case MachineRenamed.type: {
      const { machineId, to } = (event as DataOf<typeof MachineRenamed>).data
      const known = state.machines.get(machineId)
      if (known === undefined) return Either.left("there is no such machine")
      return Either.right({
        ...state,
        machines: withMember(state, { ...known, name: freeName(state, to, machineId) }),
      })
    }
    case InertAcknowledged.type: {
      const { places: digest, until } = (event as DataOf<typeof InertAcknowledged>).data
      // It was said after what it covers: where it stands before that, the log is not the one that it was said of.
      if (until >= position) return Either.right(state)
      return Either.right({ ...state, acknowledged: [...state.acknowledged, { until, digest }] })
    }
    default:
      return Either.left(`${event.type} says nothing about who may write`)
  }
}

type DataOf<D> = D extends (data: infer Data) => unknown ? { readonly type: string; readonly data: Data } : never

const withMember = (state: Membership, member: Member): ReadonlyMap<string, Member> =>
  new Map(state.machines).set(member.machineId, member)

/** Nobody comes under the name of another: a name that is taken gets the beginning of the key's id. */
const freeName = ({ machines }: Pick<Membership, "machines">, name: string, machineId: string): string => {
  const others = [...machines.values()].filter((one) => one.machineId !== machineId).map((one) => one.name)
  const names = [name, `${name.slice(0, 54)}-${machineId.slice(0, 8)}`, `${name.slice(0, 46)}-${machineId}`]
  return names.find((one) => !others.includes(one)) ?? `machine-${machineId}`
}
