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
import { findRoots } from "../trust/verdicts.js"
import type { Parts, Tally } from "./asking.js"
import type { Author } from "./author.js"
import { pullAll } from "./exchangeAll.js"
import { rejudge } from "./rebase.js"
import { readState } from "./state.js"

/** Takes over what the shared log has, with the root that is vouched for where a person would have to be asked. */
export const pullVouched = (parts: Parts, tally: Tally, vouched: Vouched) =>
  Effect.gen(function* () {
    const { author, database } = parts
    const pull = pullAll(parts, tally)
    const accept = database.write((connection) => acceptVouched(connection, vouched, author))
    yield* Effect.catchIf(
      pull,
      (error) => error.reason === "new-root",
      (error) => Effect.flatMap(accept, (accepted) => (accepted ? pull : Effect.fail(error))),
    )
    if (!(yield* database.read((connection) => isUnder(connection, vouched)))) yield* accept
  })

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

const acceptVouched = (connection: Connection, vouched: Vouched, author: Author): boolean => {
  const found = findRoots(connection).find(
    ({ eventId, publicKey }) => eventId === vouched.root && fingerprint(publicKey) === vouched.fingerprint,
  )
  if (found === undefined) return false
  const from = goBy(connection, found)
  if (from <= readState(connection).confirmed.position) rejudge(connection, from, author)
  return true
}
