/** An event as a row of the log: its columns, and the hash that chains it to the one before. */
import * as crypto from "node:crypto"
import { storedJson } from "@context-engine/core/CanonicalJson"
import { lift } from "@context-engine/core/domain/Upcasts"
import { StorageError } from "@context-engine/core/Errors"
import { inertType, type Recorded } from "@context-engine/core/Event"

/** The columns of `events`, in order. */
export type EventRow = readonly [
  position: number,
  id: string,
  stream: string,
  version: number,
  type: string,
  schema: number,
  data: string,
  meta: string,
  occurredAt: string,
  recordedAt: string,
  hash: string,
  signature: string | null,
  /** Random; with it the digest says nothing of data that was taken out. `null` for events older than the log's root. */
  salt: string | null,
  /** SHA-256 over salt and data: what the hash and the signature cover in the data's place. */
  digest: string | null,
]

/** A row that is still being made. */
export type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** A row as this machine keeps it: with the reason why it counts for nothing, or `null`. */
export type StoredRow = readonly [...EventRow, inert: string | null]

export const columns =
  "position, id, stream, version, type, schema, data, meta, occurred_at, recorded_at, hash, signature, salt, digest"

/** What is read where events are folded. */
export const stored = `${columns}, (SELECT reason FROM inert WHERE inert.position = events.position)`

/** Why an event counts for nothing that is in a replay for the chain's sake: the file shows a moment before it happened. */
export const notYet = "it had not happened yet"

/** Why one counts for nothing that only the rows could tell: by the rule it counts. */
export const clashes = "it cannot stand beside what is there"

/** The hash before the first event. */
export const genesis = "0".repeat(64)

/**
 * SHA-256, in hex, over the previous hash and every column but `recorded_at`, which the sequencer sets. The data is covered by
 * its digest, so that a text can be taken out and the chain still holds; events older than the log's root are covered whole.
 */
export const hashOf = (previous: string, row: EventRow): string => {
  const [position, id, stream, version, type, schema, data, meta, occurredAt, , , signature, , digest] = row
  const rest = [type, schema, digest ?? data, meta, occurredAt, signature]
  const content = JSON.stringify([previous, position, id, stream, version, ...rest])
  return digest === null ? sha256(content) : sha256(`2${content}`)
}

/** What stands for an event's data in the chain. */
export const digestOf = (salt: string, data: string): string => sha256(`${salt}${data}`)

/** In one call where Node has it (from 20.12 on): half the cost of a hash object for a text as short as an event. */
export const sha256: (text: string) => string =
  typeof crypto.hash === "function"
    ? (text) => crypto.hash("sha256", text, "hex")
    : (text) => crypto.createHash("sha256").update(text).digest("hex")

/** A salt is 16 bytes in base64url. Its length is fixed, so that nobody can move the border between it and the data. */
const isSalt = (text: string | null): text is string => text !== null && /^[\w-]{22}$/.test(text)

/** Whether the data is what its digest stands for. */
export const matchesDigest = ([, , , , , , data, , , , , , salt, digest]: EventRow): boolean =>
  digest === null || (isSalt(salt) && digestOf(salt, data) === digest)

/** The longest meta of an event, as it is stored. */
export const mostMeta = 20_000

/** The most bytes of an event's data as JSON writes it once more. A shared log takes and gives a text of at most 5 MB. */
export const mostData = 3_900_000

/** The most of one that tells a command as refused: there is room in it for any event that counts, with who wrote that. */
export const mostRefusal = 3_970_000

/** So much of what this program writes at once, so that there is room for the event that tells all of it as refused. */
export const mostUnit = 3_800_000

/** Whether a text is longer than so many bytes as JSON writes it: data is JSON already, and has no control characters. */
export const isLonger = (text: string, most: number): boolean =>
  text.length * 4 > most && Buffer.byteLength(JSON.stringify(text)) > most

/**
 * Reads a row back, in the shape this version knows. One that counts for nothing is read as such: nothing of what it says is
 * even parsed. Text that is not JSON is damage otherwise, and says where.
 */
export const decode = (row: EventRow | StoredRow): Recorded => {
  const inert = row[14] ?? null
  return inert === null
    ? lift(recorded(row, row[4], parse(row, row[6]), parse(row, row[7]) as Recorded["meta"]))
    : recorded(row, inertType, { reason: inert }, nobodys)
}

const nobodys: Recorded["meta"] = { actor: "unknown", via: "library", machine: "unknown", commandId: "" }

const recorded = (row: EventRow | StoredRow, type: string, data: unknown, meta: Recorded["meta"]): Recorded => ({
  position: row[0],
  id: row[1],
  stream: row[2],
  version: row[3],
  schema: row[5],
  occurredAt: row[8],
  recordedAt: row[9],
  hash: row[10],
  signature: row[11],
  type,
  data,
  meta,
})

const parse = (row: EventRow | StoredRow, text: string): unknown => {
  try {
    return JSON.parse(isStored(text) ? text : storedJson(JSON.parse(text)))
  } catch (cause) {
    throw new StorageError({
      reason: "corrupt",
      message: `the event at position ${row[0]} is damaged: not JSON`,
      cause,
    })
  }
}

/** Whether SQLite keeps all that a text holds as it is. Whoever signs an event can write NUL or half a character into it. */
const isStored = (text: string): boolean => !text.includes("\\u") || !/\\u(?:0000|d[89a-f])/i.test(text)
