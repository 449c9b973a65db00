/** Who may write to the log in a local file, and the events that decide it. */

import { definitions } from "@context-engine/core/domain/Events"
import {
  InertAcknowledged,
  InviteClosed,
  InviteIssued,
  MachineEnrolled,
  MachineRenamed,
  MachineRevoked,
  machinesStream,
} from "@context-engine/core/domain/Machine"
import {
  adminsOf,
  invitesOf,
  isAdmin,
  isLastAdmin,
  isOpen,
  lastAdmin,
  letInBy,
  type Member,
  type Membership,
} from "@context-engine/core/domain/Membership"
import { type Ambiguous, InvalidInput, type NotFound, type StorageError } from "@context-engine/core/Errors"
import type { Event, Meta } from "@context-engine/core/Event"
import { EventLog } from "@context-engine/core/EventLog"
import * as Id from "@context-engine/core/Id"
import { Origin } from "@context-engine/core/Origin"
import { word } from "@context-engine/core/Shell"
import type { Loss } from "@context-engine/core/services/Audit"
import { chooseRoot } from "@context-engine/core/services/chooseRoot"
import { type MachineRow, Machines, type PendingRoot, type Revoked } from "@context-engine/core/services/Machines"
import { theOne } from "@context-engine/core/services/names"
import { decode as decodeInput } from "@context-engine/core/services/registry/crud"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { begin, goBackTo, goTo } from "./changeRoot.js"
import type { Connection } from "./connection.js"
import { Database } from "./Database.js"
import { findSigner, loadSigner, type Signer, signerOf } from "./Signer.js"
import { toAcknowledge } from "./trust/acknowledged.js"
import { candidates } from "./trust/candidates.js"
import {
  encodeInvite,
  fingerprint,
  inviteKey,
  keyId,
  keyLine,
  newKey,
  newSecret,
  publicHalf,
  type Vouched,
} from "./trust/keys.js"
import { readMembership } from "./trust/membership.js"
import { calledAsNow } from "./trust/names.js"
import { askedAmong, findRoots, type Pending, readAsked, readEarlier, turnDownPending } from "./trust/verdicts.js"

export interface Options {
  /** The file with this machine's key, or the key itself as one line. */
  readonly keyPath?: string
}

/** Who may write to the log in the local database. */
export const layer = (options: Options = {}): Layer.Layer<Machines, never, Database | EventLog> =>
  Layer.effect(
    Machines,
    Effect.gen(function* () {
      return make(yield* Database, yield* EventLog, options)
    }),
  )

type Refused = NotFound | Ambiguous | InvalidInput | StorageError

const make = (database: Database["Type"], log: EventLog["Type"], { keyPath }: Options): Machines["Type"] => {
  const found = Effect.try({
    try: () => (keyPath === undefined ? undefined : findSigner(keyPath)),
    catch: (error) => error as StorageError,
  })
  const own = Effect.flatMap(
    Effect.try({
      try: () => (keyPath === undefined ? undefined : loadSigner(keyPath)),
      catch: (error) => error as StorageError,
    }),
    (signer) => (signer === undefined ? new InvalidInput({ field: "", reason: unsigned }) : Effect.succeed(signer)),
  )
  const members = database.read((connection) => readMembership(connection))

  /** Nobody has said who may write here; or somebody has, and the file that knew it was lost. */
  const rootless = Effect.flatMap(database.memory.look, (loss) =>
    Effect.fail(new InvalidInput({ field: "", reason: loss === null ? noRoot : lostFile(loss) })),
  )
  /** A root that is begun in the place of a log that was lost is one of another log. */
  const refuseInstead = Effect.gen(function* () {
    const loss = yield* database.memory.look
    if (loss === null || (yield* members).root !== null) return
    return yield* new InvalidInput({ field: "", reason: lostFile(loss) })
  })

  /** Only an admin decides: what another would say counts for nothing, and is refused here. */
  const decide = (event: (members: Membership) => Effect.Effect<Event, Refused>): Effect.Effect<Membership, Refused> =>
    Effect.gen(function* () {
      const signer = yield* own
      const before = yield* members
      if (before.root === null) return yield* rootless
      if (!isAdmin(before, signer.id)) return yield* new InvalidInput({ field: "", reason: notAdmin(before) })
      const wanted = yield* event(before)
      const { schema } = definitions.get(wanted.type) as { readonly schema: number }
      const meta: Meta = { ...(yield* Origin), commandId: yield* Id.make }
      const occurredAt = DateTime.formatIso(yield* DateTime.now)
      const drafted = { ...wanted, id: yield* Id.make, schema, meta, occurredAt }
      yield* log
        .append([{ stream: machinesStream, expected: "any", events: [drafted] }])
        .pipe(Effect.catchTag("VersionConflict", "UniqueViolation", Effect.die))
      return yield* members
    }).pipe(Effect.withSpan("Machines.decide"))

  const about = (machineId: string) =>
    Effect.gen(function* () {
      const state = yield* members
      return rowOf(state, state.machines.get(machineId) as Member, yield* found)
    })

  const list = Effect.gen(function* () {
    const signer = yield* found
    const { asked, earlier, pending, state } = yield* database.read((connection) => {
      const state = readMembership(connection)
      const roots = rootsIn(connection)
      return { state, asked: askedAmong(connection, state, roots.pending), ...roots }
    })
    return {
      machines: [...state.machines.values()].map((one) => rowOf(state, one, signer)),
      invites: [...state.invites.values()].filter(isOpen).map(({ publicKey: _, ...invite }) => invite),
      pendingRoots: asked.map(pendingOf),
      otherRoots: [...earlier, ...pending.filter((one) => !asked.includes(one))].map(pendingOf),
    }
  })

  return Machines.of({
    list,
    invite: Effect.fn("Machines.invite")(function* (input) {
      const secret = newSecret()
      const publicKey = publicHalf(inviteKey(secret))
      const data = yield* decodeInput(InviteIssued.data, { ...input, inviteId: keyId(publicKey), publicKey })
      const vouched = rootOf(yield* decide(() => Effect.succeed(InviteIssued(data))))
      return { ...input, inviteId: data.inviteId, code: encodeInvite({ secret, ...vouched }) }
    }),
    withdraw: Effect.fn("Machines.withdraw")(function* (id) {
      yield* decide(({ invites }) =>
        Effect.map(
          theOne("invite", id, [...invites.values()].filter(isOpen), ({ inviteId }) => [inviteId]),
          ({ inviteId }) => InviteClosed({ inviteId, reason: "withdrawn" }),
        ),
      )
    }),
    approve: Effect.fn("Machines.approve")(function* (name, role) {
      let chosen = ""
      yield* decide((state) =>
        Effect.flatMap(findMachine(state, name), ({ machineId, name: called, publicKey, role: had, status }) => {
          chosen = machineId
          if (status === "enrolled" && had === role)
            return new InvalidInput({ field: "", reason: `${called} is enrolled already, as ${had}` })
          return role === "member" && isLastAdmin(state, machineId)
            ? new InvalidInput({ field: "", reason: `${called} cannot be made a member: ${lastAdmin}` })
            : Effect.succeed(MachineEnrolled({ machineId, name: called, publicKey, role }))
        }),
      )
      return yield* about(chosen)
    }),
    revoke: Effect.fn("Machines.revoke")(function* (name) {
      let chosen = ""
      let had: Pick<Revoked, "ended" | "letIn"> = { ended: [], letIn: [] }
      yield* decide((state) =>
        Effect.flatMap(findMachine(state, name), ({ machineId, name: called, status }) => {
          chosen = machineId
          had = {
            ended: invitesOf(state, machineId).map(({ inviteId }) => inviteId),
            letIn: letInBy(state, machineId).map((one) => one.name),
          }
          if (status === "revoked") return new InvalidInput({ field: "", reason: `${called} is revoked already` })
          return isLastAdmin(state, machineId)
            ? new InvalidInput({ field: "", reason: `${called} cannot be revoked: ${lastAdmin}` })
            : Effect.succeed(MachineRevoked({ machineId, name: called }))
        }),
      )
      return { ...(yield* about(chosen)), ...had }
    }),
    rename: Effect.fn("Machines.rename")(function* (name, to) {
      let chosen = ""
      yield* decide((state) =>
        Effect.gen(function* () {
          const { machineId, name: from } = yield* findMachine(state, name)
          yield* refuseTaken(state, to, machineId)
          chosen = machineId
          return MachineRenamed(yield* decodeInput(MachineRenamed.data, { machineId, from, to }))
        }),
      )
      return yield* about(chosen)
    }),
    add: Effect.fn("Machines.add")(function* (name, role) {
      const key = newKey()
      const { id: machineId, publicKey } = signerOf(key)
      const data = yield* decodeInput(MachineEnrolled.data, { machineId, name, publicKey, role })
      const after = yield* decide((state) => Effect.as(refuseTaken(state, name, machineId), MachineEnrolled(data)))
      return { key: keyLine(key, rootOf(after)), machine: yield* about(machineId) }
    }),
    rootPlan: Effect.gen(function* () {
      const signer = yield* found
      const others = yield* database.read((connection) => candidates(connection, signer))
      return others.map(({ name, publicKey }) => ({ name, fingerprint: fingerprint(publicKey) }))
    }),
    beginRoot: Effect.fn("Machines.beginRoot")(function* (keep) {
      yield* refuseInstead
      const signer = yield* own
      const origin = yield* Origin
      const refused = yield* database.write((connection) => begin(connection, signer, origin, keep))
      if (refused !== undefined) return yield* refused
      return yield* about(signer.id)
    }),
    trust: Effect.fn("Machines.trust")(function* (print, position) {
      const signer = yield* found
      const chosen = yield* chooseRoot(yield* list, print, position)
      const { earlier, pending } = yield* database.read(rootsIn)
      const isChosen = (one: Pending) => one.position === chosen.position && fingerprint(one.publicKey) === chosen.fingerprint // biome-ignore format: one rule
      const [waits, before] = [pending.find(isChosen), earlier.find(isChosen)]
      yield* database.write((connection) => {
        if (waits !== undefined) goTo(connection, waits, signer)
        else if (before !== undefined) goBackTo(connection, before, signer)
      })
      return chosen
    }),
    acknowledge: Effect.fn("Machines.acknowledge")(function* (turnsDownRoots) {
      const [root] = yield* database.read((c) => readAsked(c, readMembership(c)))
      if (root !== undefined && !turnsDownRoots) return yield* new InvalidInput({ field: "", reason: rootWaits(root) })
      const seen = yield* database.read(toAcknowledge)
      const [state, signer] = [yield* members, yield* found]
      // Where nobody says who may write, or a root is not in this log yet, each person says so on their own machine.
      const apart = seen.count > 0 && state.root !== null
      const turnedDown = turnsDownRoots ? yield* database.write((c) => turnDownPending(c, { apart })) : 0
      if (seen.count === 0 || (turnedDown > 0 && !isAdmin(state, signer?.id ?? ""))) return turnedDown
      yield* decide(() => Effect.succeed(InertAcknowledged(seen)))
      return seen.count + turnedDown
    }),
  })
}

/** The roots that do not count now: those that nobody here has accepted, and those that counted before. */
const rootsIn = (connection: Connection) => ({
  pending: calledAsNow(connection, findRoots(connection)),
  earlier: calledAsNow(connection, readEarlier(connection)),
})

/** The root of a log that has one, as it is vouched for to who comes. */
const rootOf = ({ machines, root }: Membership): Vouched => {
  const key = machines.get(root?.machineId ?? "")?.publicKey ?? ""
  return { root: root?.eventId ?? "", fingerprint: fingerprint(key) }
}

/** A name stays with a machine that was revoked, for the log tells of it by that: it is told how it becomes free. */
const refuseTaken = ({ machines }: Membership, name: string, machineId: string): Effect.Effect<void, InvalidInput> => {
  const other = [...machines.values()].find((one) => one.name === name && one.machineId !== machineId)
  if (other === undefined) return Effect.void
  const said = `a machine named ${JSON.stringify(name)} is there already`
  const reason =
    other.status === "revoked"
      ? `${said}, which was revoked: context infra machine rename ${word(name)} ${word(`${name}-old`)} makes the name free`
      : `${said}; choose another name`
  return new InvalidInput({ field: "", reason })
}

const rootWaits = ({ fingerprint: print, name, position }: PendingRoot): string =>
  `${name} began another root of this log at position ${position}, and that is no matter of acknowledging: if it is the right one, context infra machine trust ${print}, if ${name} shows the same; if it is not, context infra machine acknowledge --roots turns it down`

const unsigned = "nothing is signed here (CONTEXT_KEY=off), so nobody can be enrolled"
const lostFile = ({ message, next }: Loss): string => `${message}. What leads on: ${next}`

const noRoot =
  "nobody has said yet who may write to this log: context infra machine root makes this machine the one that says so"

const notAdmin = (members: Membership): string =>
  `only an admin machine may do this: ${adminsOf(members).join(", ") || "there is none left"}. If all their keys are lost, context infra machine root --keys-lost makes this one`

const rowOf = (state: Membership, { publicKey, through: _, ...member }: Member, signer?: Signer): MachineRow => ({
  ...member,
  fingerprint: fingerprint(publicKey),
  root: state.root?.machineId === member.machineId,
  here: signer?.id === member.machineId,
})

const pendingOf = ({ name, position, publicKey }: Pending) => ({ name, position, fingerprint: fingerprint(publicKey) })

const findMachine = ({ machines }: Membership, name: string): Effect.Effect<Member, NotFound | Ambiguous> =>
  theOne("machine", name, [...machines.values()], (member) => [
    member.name,
    member.machineId,
    fingerprint(member.publicKey),
  ])
