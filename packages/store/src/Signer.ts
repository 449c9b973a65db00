/** This machine's Ed25519 key: made on first use, the private half in a file that only its owner can read. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto"
import { readFileSync, statSync } from "node:fs"
import { hostname } from "node:os"
import { StorageError } from "@context-engine/core/Errors"
import type { Sealed } from "./append.js"
import { writeWhole } from "./files.js"

/** Signs appends. `id` names the key: the first 16 hex digits of the SHA-256 of its public half. */
export interface Signer {
  readonly id: string
  readonly name: string
  /** SPKI in DER, base64. */
  readonly publicKey: string
  /** One signature for all the events of an append, in base64. */
  readonly sign: (sealed: ReadonlyArray<Sealed>) => string
}

/** What the writer of an event fixed, and so what it signs: not position, version and hash, which another order changes. */
export type Signed = readonly [
  id: string,
  stream: string,
  type: string,
  schema: number,
  data: string,
  meta: string,
  occurredAt: string,
]

/** The bytes that are signed for the events of one append, in their order. */
export const signedBytes = (events: ReadonlyArray<Signed>): Buffer =>
  createHash("sha256").update(JSON.stringify(events)).digest()

/** Whether a signature of these events was made with the private half of a public key. Never throws. */
export const verifies = (publicKey: string, events: ReadonlyArray<Signed>, signature: string): boolean => {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" })
    return verify(null, signedBytes(events), key, Buffer.from(signature, "base64"))
  } catch {
    return false
  }
}

/** The id of a public key. */
export const keyId = (publicKey: string): string =>
  createHash("sha256").update(Buffer.from(publicKey, "base64")).digest("hex").slice(0, 16)

/** The signer whose key is in a file, which is made if there is none. Throws `StorageError`. */
export const loadSigner = (path: string): Signer => {
  const privateKey = parse(path, read(path) ?? create(path))
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" }).toString("base64")
  return {
    id: keyId(publicKey),
    name: hostname(),
    publicKey,
    sign: (sealed) => sign(null, signedBytes(sealed.map(signedOf)), privateKey).toString("base64"),
  }
}

const signedOf = ({ data, event, meta, stream }: Sealed): Signed => [
  event.id,
  stream,
  event.type,
  event.schema,
  data,
  meta,
  event.occurredAt,
]

const read = (path: string): string | undefined => {
  // A pipe would be waited for, without end.
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) throw unusable(path, "is no regular file", {})
  try {
    return readFileSync(path, "utf8")
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw unusable(path, "cannot be read", cause)
  }
}

/** Two processes may get here at once: the file appears whole or not at all, and whoever comes second takes the first's. */
const create = (path: string): string => {
  const { privateKey } = generateKeyPairSync("ed25519")
  const pem = privateKey.export({ format: "pem", type: "pkcs8" }).toString()
  try {
    return writeWhole(path, pem, { keep: true }) ? pem : (read(path) as string)
  } catch (cause) {
    throw unusable(path, "cannot be made", cause)
  }
}

const parse = (path: string, pem: string) => {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw unusable(path, "is not a private key", cause)
  }
}

const unusable = (path: string, what: string, cause: unknown) =>
  new StorageError({
    reason: "unavailable",
    message: `this machine's key ${path} ${what}; move it away to have a new one made, or name another with CONTEXT_KEY`,
    cause: (cause as NodeJS.ErrnoException).code,
  })
