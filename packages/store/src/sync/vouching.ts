/**
 * A root that came with a word for it: the code of an invite and the line of a job's key both name the one that their admin is
 * under, by its event and its fingerprint. It needs no other person's word here, and no other root is taken in its place.
 */
import { SyncError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import type { Connection } from "../connection.js"
import { fingerprint, type Vouched } from "../trust/keys.js"
import { goBy } from "../trust/lineage.js"
import { readMembership } from "../trust/membership.js"
import { findRoots, type Pending, turnDownPending } from "../trust/verdicts.js"
import type { Parts, Tally } from "./asking.js"
import type { Author } from "./author.js"
import { keylessIn } from "./enrolling.js"
import { pullAll } from "./exchangeAll.js"
import { rejudge } from "./rebase.js"
import { readState } from "./state.js"

/** Takes over what the shared log has, with the root that is vouched for where a person would have to be asked. */
export const pullVouched = (parts: Parts, tally: Tally, vouched: Vouched) =>
  Effect.gen(function* () {
    const { author, database } = parts
    const isMeant = ({ eventId, publicKey }: Pending) =>
      eventId === vouched.root && fingerprint(publicKey) === vouched.fingerprint
    const accept = database.write((connection) => acceptFound(connection, isMeant, author))
    // Another root in its way is not the one that was named, and nobody is asked about it: the one that was may stand behind it.
    const pass = Effect.as(
      database.write((connection) => turnDownPending(connection, { apart: true })),
      true,
    )
    yield* pullAccepting(
      parts,
      tally,
      Effect.flatMap(accept, (accepted) => (accepted ? Effect.succeed(true) : pass)),
    )
    if (!(yield* database.read((connection) => isUnder(connection, vouched)))) yield* accept
  })

/**
 * Takes over what the shared log has, with the roots that a person on this machine accepted in it before its file was lost: it is
 * their own word, and counts before anything of this machine is written under another root. Where nothing is missing, does nothing.
 */
export const pullRemembered = (parts: Parts, tally: Tally) =>
  Effect.gen(function* () {
    const { author, database } = parts
    const kept = yield* database.memory.missingRoots
    // What waits unsigned in a signed log is not put after others' work: the exchange says so.
    if (kept.length === 0 || (yield* database.read((connection) => keylessIn(connection, author))) !== undefined) return
    const isMeant = (found: Pending) =>
      kept.some(({ eventId, publicKey }) => eventId === found.eventId && publicKey === found.publicKey)
    const accept = database.write((connection) => acceptFound(connection, isMeant, author))
    yield* pullAccepting(parts, tally, accept)
    yield* accept
  })

const pullAccepting = <E, R>(parts: Parts, tally: Tally, accept: Effect.Effect<boolean, E, R>) =>
  Effect.catchIf(
    pullAll(parts, tally),
    (error) => error.reason === "new-root",
    (error) => Effect.flatMap(accept, (accepted) => (accepted ? pullAll(parts, tally) : Effect.fail(error))),
  )

/** Whether the log of this file is under that root. */
export const isUnder = (connection: Connection, vouched: Vouched): boolean => {
  const { machines, root } = readMembership(connection)
  const key = machines.get(root?.machineId ?? "")?.publicKey
  return root?.eventId === vouched.root && key !== undefined && fingerprint(key) === vouched.fingerprint
}

/** A job keeps nothing, so that it would believe any log that it is shown: its key says which is the right one. */
export const checkRoot = (parts: Parts, tally: Tally, vouched: Vouched) =>
  Effect.gen(function* () {
    const under = parts.database.read((connection) => isUnder(connection, vouched))
    if (yield* under) return
    yield* pullVouched(parts, tally, vouched)
    if (yield* under) return
    const message = `${parts.remote.address}: the log there is not the one that the key in CONTEXT_KEY was made for, or somebody put another in its place, or it has a new root. If it is the right one, make the job another key: context infra machine add <name>`
    return yield* new SyncError({ reason: "foreign", message })
  })

/** Goes by those of the roots that wait for a word, in their order. Says whether there are any. */
const acceptFound = (connection: Connection, isMeant: (root: Pending) => boolean, author: Author): boolean => {
  const found = findRoots(connection).filter(isMeant)
  const places = [...found].sort((a, b) => a.position - b.position).map((root) => goBy(connection, root))
  const from = Math.min(...places)
  if (from <= readState(connection).confirmed.position) rejudge(connection, from, author)
  return found.length > 0
}
