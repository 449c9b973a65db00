/** This machine's Ed25519 key: made on first use, the private half in a file that only its owner can read. */
import { createPrivateKey, type KeyObject, sign } from "node:crypto"
import { readFileSync, statSync } from "node:fs"
import { hostname } from "node:os"
import { dirname } from "node:path"
import { StorageError } from "@context-engine/core/Errors"
import type { Obstacle } from "@context-engine/core/EventLog"
import { writeWhole } from "./files.js"
import { obstacleAbove, unreadable } from "./obstacle.js"
import { type EventRow, sha256 } from "./record.js"
import { holds, isKeyLine, keyId, keyOfLine, newKey, publicHalf } from "./trust/keys.js"

/** Signs units. `id` names the key: the first 16 hex digits of the SHA-256 of its public half. */
export interface Signer {
  readonly id: string
  /** What this machine calls itself when it asks to join a log. */
  readonly name: string
  /** SPKI in DER, base64. */
  readonly publicKey: string
  /** A signature of bytes, in base64. */
  readonly sign: (bytes: Buffer) => string
  /** Whether its key was made for a job, and so for a log that there was. */
  readonly isJob?: boolean
}

/** What the writer of an event fixed, and so what it signs: not position, version and hash, which another order changes. */
export type Signed = readonly [
  id: string,
  stream: string,
  type: string,
  schema: number,
  /** The data's digest; the data itself in events older than the log's root. */
  data: string,
  meta: string,
  occurredAt: string,
]

/**
 * The bytes that are signed for the events of one unit, in their order. `root`, the id of the log's root, binds them to one log;
 * events older than a root were signed without.
 */
export const signedBytes = (events: ReadonlyArray<Signed>, root?: string): Buffer =>
  Buffer.from(sha256(JSON.stringify(root === undefined ? events : [root, events])), "hex")

/** What is signed of a row. */
export const signedOf = (row: EventRow): Signed => [row[1], row[2], row[4], row[5], row[13] ?? row[6], row[7], row[8]]

/** Whether a signature of these events was made with the private half of a public key. Never throws. */
export const verifies = (publicKey: string, events: ReadonlyArray<Signed>, signature: string, root?: string): boolean =>
  holds(publicKey, signedBytes(events, root), signature)

/**
 * The signer whose key is in a file, which is made if there is none; or whose key is given itself, as one line. Throws
 * `StorageError`.
 */
export const loadSigner = (path: string): Signer => {
  if (isKeyLine(path)) return { ...signerOf(fromLine(path)), isJob: true }
  const signer = signerOf(parse(path, read(path) ?? create(path)))
  noteKey(path, signer)
  return signer
}

/** The same where there is a key already, to look at; `undefined` where one would have to be made. */
export const findSigner = (path: string): Signer | undefined => {
  if (isKeyLine(path)) return { ...signerOf(fromLine(path)), isJob: true }
  const pem = read(path)
  return pem === undefined ? undefined : signerOf(parse(path, pem))
}

const noteOf = (path: string): string => `${path}.pub`

/** Whether this machine signed with the key of that id from a file, though the key may be gone: a log's file says so of any machine. */
export const hadKey = (path: string, id: string): boolean => {
  try {
    return keyId(readFileSync(noteOf(path), "utf8").trim()) === id
  } catch {
    return false
  }
}

/** Keeps the public half beside the key, so that a key that goes missing is known to have been this machine's. */
const noteKey = (path: string, { id, publicKey }: Signer): void => {
  if (hadKey(path, id)) return
  try {
    writeWhole(noteOf(path), `${publicKey}\n`)
  } catch {
    // A directory that takes no file is no reason not to sign: only the note is missing.
  }
}

/** The signer with a private key. */
export const signerOf = (privateKey: KeyObject): Signer => {
  const publicKey = publicHalf(privateKey)
  const name = hostname()
    .replace(/[^A-Za-z0-9._-]/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 63)
  return {
    id: keyId(publicKey),
    name: name === "" ? "machine" : name,
    publicKey,
    sign: (bytes) => sign(null, bytes, privateKey).toString("base64"),
  }
}

const fromLine = (line: string): KeyObject => {
  const key = keyOfLine(line)
  if (key !== undefined) return key
  const message = "CONTEXT_KEY holds a damaged key; take the line anew from context infra machine add"
  throw new StorageError({ reason: "unavailable", message })
}

const read = (path: string): string | undefined => {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    // A pipe would be waited for, without end.
    if (found?.isFile() === false) throw unusable(path, "is no regular file", {})
    return found && readFileSync(path, "utf8")
  } catch (cause) {
    if (cause instanceof StorageError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    if (code === "ENOENT") return undefined
    // A key that is there is not to be moved away, which would make this another machine.
    const obstacle = unreadable(path)
    if (obstacle !== undefined) throw kept(path, "cannot be read", obstacle, cause)
    throw unusable(path, "cannot be read", cause)
  }
}

/** Two processes may get here at once: the file appears whole or not at all, and whoever comes second takes the first's. */
const create = (path: string): string => {
  const pem = newKey().export({ format: "pem", type: "pkcs8" }).toString()
  try {
    return writeWhole(path, pem, { keep: true }) ? pem : (read(path) as string)
  } catch (cause) {
    const obstacle = obstacleAbove(dirname(path))
    throw obstacle === undefined
      ? unusable(path, "cannot be made", cause)
      : kept(path, "cannot be made", obstacle, cause)
  }
}

const parse = (path: string, pem: string) => {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw unusable(path, "is not a private key", cause)
  }
}

const kept = (path: string, what: string, { fix, found }: Obstacle, cause: unknown) =>
  new StorageError({
    reason: "unavailable",
    message: `this machine's key ${path} ${what}: ${found}; ${fix}, or name another place with CONTEXT_KEY`,
    cause: (cause as NodeJS.ErrnoException).code,
  })

const unusable = (path: string, what: string, cause: unknown) =>
  new StorageError({
    reason: "unavailable",
    message: `this machine's key ${path} ${what}; move it away to have a new one made, or name another with CONTEXT_KEY`,
    cause: (cause as NodeJS.ErrnoException).code,
  })
