/** Meeting the shared log: how far both logs are the same, and what that makes of them. */
import { type StorageError, SyncError } from "@context-engine/core/Errors"
import type { Contact } from "@context-engine/core/services/Sync"
import { count } from "@context-engine/core/words"
import * as Effect from "effect/Effect"
import type { Connection } from "../connection.js"
import type { Database } from "../Database.js"
import { genesis } from "../record.js"
import { readHead } from "../standing.js"
import { readInert } from "../trust/verdicts.js"
import { givesBack } from "./answers.js"
import { portraitOf } from "./portrait.js"
import type { Answer, Place } from "./protocol.js"
import type { RemoteLog } from "./RemoteLog.js"
import { readState, type State } from "./state.js"
import { beginsRoot, countOwn } from "./unread.js"

type Failed = SyncError | StorageError

/** What is behind the address, with how far it is the same as ours. */
export interface Met extends Contact {
  readonly place: Place
}

const beginning: Place = { position: 0, hash: genesis }

/** Looks at the shared log and changes nothing. `own` is this machine's key. */
export const meet = (
  database: Database["Type"],
  remote: RemoteLog["Type"],
  own: string | undefined,
): Effect.Effect<Met, Failed> =>
  Effect.gen(function* () {
    const { head, state } = yield* database.read((connection) => ({
      head: readHead(connection).position,
      state: readState(connection),
    }))
    const first = yield* remote.survey([])
    if (first._tag === "Empty") {
      const seen = {
        logId: null,
        remoteEvents: 0,
        common: 0,
        ours: head,
        beginsRoot: false,
        place: beginning,
        sides: null,
      }
      return { ...seen, state: state.logId === null ? "empty" : "reset" }
    }
    const found = yield* common(database, remote, Math.min(head, first.head))
    // Of a log that lost something, a unit is there whole or not at all.
    const isBack = state.logId === first.logId && found.position < state.confirmed.position
    const place = isBack ? yield* database.read((connection) => beforeUnit(connection, found)) : found
    const seen = {
      logId: first.logId,
      remoteEvents: first.head,
      common: place.position,
      ...(yield* database.read((connection) => ({
        ours: countOwn(connection, place.position, own ?? ""),
        beginsRoot: beginsRoot(connection, place.position, own ?? ""),
      }))),
      place,
    }
    // What counts for nothing here and is not there would go with what waits: only a copy keeps it, and a person is asked.
    const loses = yield* database.read((connection) => readInert(connection, place.position).size > 0)
    const named = nameOf(state, first.logId, { remoteHead: first.head, head, place, loses })
    const strange = named === "to-merge" || named === "foreign"
    return { ...seen, state: named, sides: strange ? yield* sidesOf(database, remote) : null }
  })

const sidesOf = (database: Database["Type"], remote: RemoteLog["Type"]) =>
  Effect.all({ here: database.read(portraitOf), there: remote.portrait })

/** Two histories become one only if a person says so. */
export const refuseToMerge = (address: string, { ours, remoteEvents }: Met): SyncError => {
  const message = `${address}: the shared log has ${count(remoteEvents, "event")} and this file ${ours} of its own, and they never met. Nothing was pushed or taken over. To see both, and put ours after its own: context infra sync join (without a terminal: with --yes)`
  return new SyncError({ reason: "to-merge", message })
}

interface Heads {
  readonly remoteHead: number
  readonly head: number
  readonly place: Place
  readonly loses: boolean
}

const nameOf = (state: State, logId: string, { head, loses, place, remoteHead }: Heads): Contact["state"] => {
  if (state.logId === null) {
    // One that was disconnected has what both shared to its end, and goes on from there as if it had never left.
    const hasMet = state.recorded > 0 && place.position >= state.recorded
    return (loses && remoteHead > 0) || (!hasMet && head > place.position && remoteHead > place.position)
      ? "to-merge"
      : "same"
  }
  if (state.logId !== logId) return "foreign"
  return place.position < state.confirmed.position ? "rolled-back" : "same"
}

/** How many hashes are asked for at once: a log of 100,000 is searched in five round trips. */
const probes = 15

/** The last place that both logs have. Equal hashes mean equal histories, so it is searched by halves. */
const common = (database: Database["Type"], remote: RemoteLog["Type"], until: number): Effect.Effect<Place, Failed> =>
  Effect.gen(function* () {
    let low = beginning
    let high = until
    while (low.position < high) {
      const step = Math.max(1, Math.ceil((high - low.position) / probes))
      const positions: Array<number> = []
      for (let position = high; position > low.position; position -= step) positions.unshift(position)
      const found = yield* remote.survey(positions)
      const theirs = found._tag === "Log" ? found.hashes : new Map<number, string>()
      const ours = yield* database.read((connection) => hashesAt(connection, positions))
      for (const position of positions) {
        const hash = ours.get(position)
        if (hash === undefined || theirs.get(position) !== hash) {
          high = position - 1
          break
        }
        low = { position, hash }
      }
    }
    return low
  })

/** The last place up to there at which no unit of ours goes on. */
const beforeUnit = (connection: Connection, { hash, position }: Place): Place => {
  const [signature] = connection.prepare("SELECT signature FROM events WHERE position = ?").get(position + 1) ?? [null]
  if (signature === null) return { position, hash }
  const found = connection
    .prepare(
      "SELECT position, hash FROM events WHERE position <= ? AND signature IS NOT ? ORDER BY position DESC LIMIT 1",
    )
    .get(position, signature)
  return found === undefined ? beginning : { position: found[0], hash: found[1] }
}

const hashesAt = (connection: Connection, positions: ReadonlyArray<number>): ReadonlyMap<number, string> =>
  new Map(
    connection
      .prepare("SELECT position, hash FROM events WHERE position IN (SELECT value FROM json_each(?))")
      .all(JSON.stringify(positions)) as ReadonlyArray<[number, string]>,
  )

/** Refuses an answer that does not come from the log that is known, before anything of it is believed. */
export const recognise = (
  address: string,
  state: State,
  answer: Answer | undefined,
): Effect.Effect<Answer, SyncError> => {
  const refuse = (reason: SyncError["reason"], what: string, then: string) =>
    new SyncError({ reason, message: `${address}: ${what}. Nothing was pushed; all work is kept here. ${then}` })
  const { position } = state.confirmed
  if (answer === undefined)
    return refuse(
      "reset",
      `the shared log is gone: there is nothing any more where ${count(position, "event")} used to be`,
      givesBack,
    )
  if (answer.logId !== state.logId) {
    return refuse(
      "foreign",
      "another log than the one this machine knows is kept there",
      "Name the right one, or join this one: our history is then put after its own",
    )
  }
  if (answer.head < position) {
    return refuse(
      "rolled-back",
      `the shared log is an older copy of itself: it ends at ${answer.head}, and this machine has ${count(position, "event")} of it`,
      givesBack,
    )
  }
  if (answer.hashAtFrom !== state.confirmed.hash) {
    return refuse(
      "rolled-back",
      `the shared log went on from an older copy of itself: it has another event at ${position}`,
      givesBack,
    )
  }
  return Effect.succeed(answer)
}
