/** The first time that this log and the shared one meet: one takes over the other, or both become one by a person's word. */
import { randomUUID } from "node:crypto"
import { rmSync } from "node:fs"
import { StorageError, SyncError } from "@context-engine/core/Errors"
import type { SyncOptions } from "@context-engine/core/services/Sync"
import { count } from "@context-engine/core/words"
import * as Effect from "effect/Effect"
import { refusedBy } from "../connection.js"
import { writeCopy } from "../copies.js"
import type { Database } from "../Database.js"
import { untrue } from "./answers.js"
import type { Parts } from "./asking.js"
import { type Met, meet, refuseToMerge } from "./contact.js"
import { beginOwn } from "./enrolling.js"
import { bind, note, readState } from "./state.js"
import { leaveOthers } from "./unread.js"
import { isUnder } from "./vouching.js"

type Failed = SyncError | StorageError

/** Where there is nothing under the root that a job's key names. */
export const goneFor =
  "the log there is not the one that the key in CONTEXT_KEY was made for: nothing is there at all. Either that log is gone, or it is at another address"

/**
 * Binds this log to the shared one when they meet for the first time. An empty one is made ours; two histories become one only
 * where a person said so (`merging`). Gives up to where events were shared by way of another server before: there they keep the
 * times that others have of them.
 */
export const firstContact = (parts: Parts, merging?: SyncOptions): Effect.Effect<number, Failed> =>
  Effect.gen(function* () {
    const { database, remote } = parts
    const { logId, recorded } = yield* database.read(readState)
    if (logId !== null) return 0
    const met = yield* meetOrCreate(parts)
    if (met.state === "to-merge") {
      yield* merging === undefined ? refuseToMerge(remote.address, met) : bindMerged(parts, met, merging)
      return 0
    }
    yield* database.write((connection) => {
      bind(connection, met.logId, met.place)
      if (met.remoteEvents === 0) beginOwn(connection, parts.author)
      const detail = `to the log ${met.logId} of ${count(met.remoteEvents, "event")}`
      note(connection, { at: new Date().toISOString(), what: "connected", detail })
    })
    return met.remoteEvents === 0 ? recorded : 0
  })

const meetOrCreate = ({ author, database, remote, vouched }: Parts) =>
  Effect.gen(function* () {
    const before = yield* meet(database, remote, author.signer?.id)
    if (before.state !== "empty") return before
    // The log of that key is older than the key: another one made in its place would only be in the way of putting it back.
    if (vouched !== undefined && !(yield* database.read((connection) => isUnder(connection, vouched))))
      return yield* new SyncError({ reason: "reset", message: `${remote.address}: ${goneFor}` })
    yield* remote.create(randomUUID())
    const after = yield* meet(database, remote, author.signer?.id)
    return after.state === "empty" ? yield* untrue(remote.address, "no log where one was just made") : after
  })

/** All of ours will be put after the history that is there; the file as it was is kept. */
export const bindMerged = (
  { author, database }: Parts,
  met: Met,
  { onCopy }: SyncOptions,
): Effect.Effect<void, Failed> =>
  Effect.gen(function* () {
    const obstacle = yield* database.obstacle
    if (obstacle !== null) return yield* refusedBy(database.path, obstacle)
    const copy = yield* keepCopy(database)
    const bound = database.write((connection) => {
      leaveOthers(connection, met.place, author)
      bind(connection, met.logId, met.place)
      note(connection, { at: new Date().toISOString(), what: "merged", detail: merged(met, copy) })
    })
    yield* Effect.tapError(bound, () => Effect.sync(() => rmSync(copy, { force: true })))
    yield* onCopy?.(copy) ?? Effect.void
  })

const merged = ({ logId, ours }: Met, copy: string): string =>
  `${count(ours, "event")} of this machine put after those of the log ${logId}; as it was before, it is in ${copy}`

/** A whole copy of the file beside it, as it is before two histories become one. */
const keepCopy = (database: Database["Type"]): Effect.Effect<string, StorageError> => {
  const into = `${database.path}.before-sync-${new Date().toISOString().replace(/[:.]/g, "-")}`
  return Effect.scoped(
    Effect.flatMap(database.dedicated, (connection) => Effect.as(writeCopy(connection, into), into)),
  ).pipe(Effect.catchTag("InvalidInput", ({ message }) => new StorageError({ reason: "unavailable", message })))
}
