/** One append, within a transaction: check, chain, insert, fold. Synchronous; what it throws undoes it. */

import { storedJson } from "@context-engine/core/CanonicalJson"
import { machinesStream } from "@context-engine/core/domain/Machine"
import { CommandRejected } from "@context-engine/core/domain/Rejection"
import { StorageError, VersionConflict } from "@context-engine/core/Errors"
import type { Recorded } from "@context-engine/core/Event"
import type { AppendOptions, StreamAppend } from "@context-engine/core/EventLog"
import { isoTime } from "@context-engine/core/Time"
import { projections } from "@context-engine/core/views/all"
import type { Connection } from "./connection.js"
import { refuseCut } from "./cut.js"
import type { HeadCache } from "./HeadCache.js"
import { refuseReplay, refuseUnsigned } from "./mayWrite.js"
import {
  columns,
  decode,
  type EventRow,
  hashOf,
  mostMeta,
  mostUnit,
  type StoredRow,
  stored,
  type Writable,
} from "./record.js"
import { writeRows } from "./rows.js"
import type { Signer } from "./Signer.js"
import { advance, type Head, readStanding, type Shared, type Signing, type Standing } from "./standing.js"
import { dropped } from "./taken.js"
import { isRoot } from "./trust/chain.js"
import { acceptRoot } from "./trust/decided.js"
import { type Beginning, begin, chainOfKey, type Draft, isUnsigned, sealUnit } from "./trust/sealing.js"
import { isMeta, isName, misfitOf } from "./trust/shapes.js"
import { markClockStep } from "./trust/verdicts.js"

/** Serialises and checks the events of an append, once, outside the lock. Throws `StorageError` for what no machine would take. */
export const seal = (appends: ReadonlyArray<StreamAppend>): ReadonlyArray<Draft> => {
  const drafts = appends.flatMap(({ events, stream }) =>
    events.map(({ data, id, meta, occurredAt, schema, type }) => {
      const draft = { id, stream, type, schema, data: storedJson(data), meta, occurredAt }
      refuseMisfit(draft)
      return draft
    }),
  )
  if (drafts.length > 1 && drafts.some(({ stream }) => stream === machinesStream)) throw notAlone
  if (drafts[0]?.type !== CommandRejected.type) refuseLong(drafts)
  return drafts
}

/** What each event takes where it is told as refused, beside what it says itself: the names of its fields, its time and its chain. */
const beside = 500

/** The events of a unit have one meta, nearly always: it is written as JSON once. */
let lastMeta: { readonly meta: Draft["meta"] | undefined; readonly json: string } = { meta: undefined, json: "" }

const jsonOf = (meta: Draft["meta"]): string => {
  if (meta !== lastMeta.meta) lastMeta = { meta, json: JSON.stringify(meta) }
  return lastMeta.json
}

const refuseLong = (drafts: ReadonlyArray<Draft>): void => {
  const sumOf = (bytesOf: (text: string) => number) =>
    drafts.reduce((sum, { data, id, meta, stream, type }) => {
      const said = bytesOf(data) + bytesOf(jsonOf(meta))
      return sum + said + id.length + stream.length + type.length + beside
    }, 0)
  if (sumOf((text) => text.length) * 4 <= mostUnit) return
  const bytes = sumOf((text) => Buffer.byteLength(JSON.stringify(text)))
  if (bytes <= mostUnit) return
  const message = `${(bytes / 1e6).toFixed(1)} MB at once: a shared log takes at most ${mostUnit / 1e6} MB of one command; give it in parts`
  throw new StorageError({ reason: "unavailable", message })
}

const notAlone = new StorageError({
  reason: "unavailable",
  message: `an event of ${machinesStream} says who may write, and is appended alone`,
})

const unfit = (name: string): StorageError => {
  const message = `${JSON.stringify(name.slice(0, 80))} cannot name an event, its type or its stream: it has to be 1 to 300 printable ASCII characters, and not to begin with inert-`
  return new StorageError({ reason: "unavailable", message })
}

/** Appends events and folds them into the views. Made before (the answer was lost), it gives what there is. */
export const append = (
  connection: Connection,
  appends: ReadonlyArray<StreamAppend>,
  drafts: ReadonlyArray<Draft>,
  signer: Signer | undefined,
  options: AppendOptions,
  cache: HeadCache,
): ReadonlyArray<Recorded> => {
  const standing = readStanding(connection, drafts[0]?.id)
  if (standing.known) return alreadyThere(connection, drafts)
  const { head, shared } = standing
  if (options.head !== undefined && options.head !== head.position) {
    throw new VersionConflict({ stream: "the log", expected: options.head, actual: head.position })
  }
  refuseReplay(shared)
  refuseCut(standing)
  if (options.rebases !== undefined && options.rebases !== shared.rebases) {
    throw new VersionConflict({ stream: "the log", expected: options.rebases, actual: shared.rebases })
  }
  cache.begin(head.hash)
  const { before, chain, rows, wentBack } = sealed(connection, drafts, signer, standing)
  const versions = versionsOf(connection, appends, cache)
  const streams = before.map((row) => row[2])
  for (const [stream, version] of readVersions(connection, streams)) versions.set(stream, version)
  const placed = place(rows, versions, head, nowAfter(head, shared))
  insertRows(connection, placed)
  const [first] = placed.slice(before.length)
  if (wentBack && first !== undefined) markClockStep(connection, first[0])
  const recorded = placed.map(decode)
  writeRows(connection, projections, recorded, { cache, keepAsOf: shared.confirmed })
  cache.keepVersions(versions)
  const last = recorded[recorded.length - 1]
  if (last !== undefined) advance(connection, last, chain)
  return recorded.slice(before.length)
}

/** The drafts as signed rows, with what has to come before the first of this key under a root. The chain goes on with them. */
const sealed = (
  connection: Connection,
  drafts: ReadonlyArray<Draft>,
  signer: Signer | undefined,
  { head, own, shared }: Standing,
): Sealed => {
  const [first] = drafts
  if (first === undefined) return { before: [], rows: [], wentBack: false }
  const known = signer && chainOfKey(own, signer)
  if (signer === undefined || (known === undefined && isUnsigned(connection))) {
    refuseUnsigned(connection)
    const timed = timesOf(drafts, head.position > shared.position ? head.occurredAt : "", shared)
    return { ...timed, before: [], rows: sealUnit(timed.drafts, undefined, undefined, seenOf(shared, head)).rows }
  }
  const beginning: Beginning =
    known !== undefined && known.root !== "" ? { before: [], chain: known } : begin(connection, signer, first, head)
  const timed = timesOf(drafts, beginning.chain.occurredAt, shared)
  const root = beginning.before.length === 0 ? undefined : sealUnit(beginning.before, signer, beginning.chain)
  const unit = sealUnit(timed.drafts, signer, root?.chain ?? beginning.chain, seenOf(shared, head))
  const before = root?.rows ?? []
  for (const row of before.filter(isRoot)) acceptRoot(connection, { eventId: row[1], publicKey: signer.publicKey })
  return { before, rows: [...before, ...unit.rows], chain: unit.chain, wentBack: timed.wentBack }
}

/** How far this machine has the shared log: no further than it goes, where its end was given up. */
const seenOf = ({ seen }: Shared, { position }: Head): number => Math.min(seen, position)

interface Sealed {
  readonly before: ReadonlyArray<EventRow>
  readonly rows: ReadonlyArray<EventRow>
  /** Of this key, after them. Without a key there is none. */
  readonly chain?: Signing | undefined
  /** The writer's clock went back since what it wrote before. */
  readonly wentBack: boolean
}

/** Clocks of processes that write at the same time differ by so little, in milliseconds; a larger step is one of the clock. */
const jitter = 60_000

/**
 * When a unit happened: by this machine's clock, corrected by what was measured of it. Never before what all machines share,
 * and not before what this machine wrote `before`, unless its clock went back by more than chance.
 */
const timesOf = (drafts: ReadonlyArray<Draft>, before: string, { since, skew }: Shared) => {
  const own = Math.max(...drafts.map(({ occurredAt }) => Date.parse(occurredAt))) + skew
  if (Number.isNaN(own)) return { drafts, wentBack: false }
  const [last, shared] = [Date.parse(before), Date.parse(since)]
  const after = Number.isNaN(last) || own < last - jitter ? own : Math.max(own, last)
  const at = isoTime(Number.isNaN(shared) ? after : Math.max(after, shared))
  return {
    drafts: drafts.map((draft) => (draft.occurredAt === at ? draft : { ...draft, occurredAt: at })),
    wentBack: at < before,
  }
}

/** What no machine would take as an event of its type would count for nothing, though the rows here showed it. */
const refuseMisfit = (draft: Draft): void => {
  if (jsonOf(draft.meta).length > mostMeta - ofChain) throw longMeta
  const reason = misfitOf(draft, isMeta(draft.meta))
  if (reason === undefined) return
  const { id, stream, type } = draft
  for (const name of [stream, type, id]) if (!isName(name)) throw unfit(name)
  throw new StorageError({ reason: "unavailable", message: `${type} cannot be appended to ${stream}: ${reason}` })
}

/** What the chain of a key adds to a meta. */
const ofChain = 500

const longMeta = new StorageError({
  reason: "unavailable",
  message: `the meta of an event is at most ${mostMeta - ofChain} characters`,
})

/** The shared log's clock never goes back, and what waits here is not recorded before what is there. */
const nowAfter = (head: Head, { confirmed, recorded }: Shared): string => {
  const now = new Date().toISOString()
  if (now >= head.recordedAt || confirmed === undefined) return now
  return now > recorded ? now : recorded
}

/** The version each stream is at, where it is the one that was expected. */
const versionsOf = (
  connection: Connection,
  appends: ReadonlyArray<StreamAppend>,
  cache: HeadCache,
): Map<string, number> => {
  const versions = new Map<string, number>()
  const unknown = new Set<string>()
  for (const { stream } of appends) {
    const version = cache.versionOf(stream)
    if (version === undefined) unknown.add(stream)
    else versions.set(stream, version)
  }
  for (const [stream, version] of readVersions(connection, [...unknown])) versions.set(stream, version)
  const next = new Map(versions)
  for (const { events, expected, stream } of appends) {
    const version = next.get(stream) ?? 0
    if (expected !== "any" && expected !== version) throw new VersionConflict({ stream, expected, actual: version })
    next.set(stream, version + events.length)
  }
  return versions
}

/** The version each of some streams is at: 0 where there is none. */
export const readVersions = (
  connection: Connection,
  streams: ReadonlyArray<string>,
): ReadonlyArray<[string, number]> =>
  streams.length === 0 ? [] : connection.prepare(manyVersions).all(JSON.stringify(streams))

const manyVersions = `SELECT value, (SELECT coalesce(max(version), 0) FROM events WHERE stream = value) FROM json_each(?)`

/** Rows at their places after a head: position, version, time and hash. What was signed stays as it is. */
export const place = (
  rows: ReadonlyArray<EventRow>,
  versions: Map<string, number>,
  head: Pick<Head, "position" | "hash">,
  recordedAt: string | ((row: EventRow) => string),
): ReadonlyArray<EventRow> => {
  let { hash, position } = head
  return rows.map((row) => {
    position += 1
    const version = (versions.get(row[2]) ?? 0) + 1
    versions.set(row[2], version)
    const placed = [...row] as unknown as Writable<EventRow>
    placed[0] = position
    placed[3] = version
    placed[9] = typeof recordedAt === "string" ? recordedAt : recordedAt(row)
    hash = hashOf(hash, placed)
    placed[10] = hash
    return placed
  })
}

/** A statement of many rows costs less than many statements; the rest goes row by row. */
export const insertRows = (connection: Connection, rows: ReadonlyArray<EventRow>): void => {
  const many = 100
  const whole = rows.length - (rows.length % many)
  let changes = 0
  for (let i = 0; i < whole; i += many) {
    const values: Array<unknown> = []
    for (let n = i; n < i + many; n++) values.push(...(rows[n] as EventRow).slice(0, width))
    changes += connection.prepare(insertOf(many)).run(values).changes
  }
  for (const row of rows.slice(whole)) changes += connection.prepare(insertOf(1)).run(row.slice(0, width)).changes
  if (changes !== rows.length) throw dropped("events")
}

const width = columns.split(",").length

const insertOf = (count: number): string =>
  `INSERT INTO events (${columns}) VALUES ${Array(count)
    .fill(`(${Array(width).fill("?").join(", ")})`)
    .join(", ")}`

/**
 * The events themselves, where this very append was made before. The ids of an append are made together, so the first tells
 * for all; an id with other content is an alarm.
 */
const alreadyThere = (connection: Connection, drafts: ReadonlyArray<Draft>): ReadonlyArray<Recorded> => {
  const find = connection.prepare(`SELECT ${stored} FROM events WHERE id = ?`)
  return drafts.map(({ data, id, stream, type }) => {
    const row = find.get(id) as StoredRow | undefined
    if (row !== undefined && row[2] === stream && row[4] === type && row[6] === data) return decode(row)
    throw new StorageError({
      reason: "corrupt",
      message: `event ${id} is already in the log with other content: two writers made the same id`,
    })
  })
}
