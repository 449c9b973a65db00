/** Ed25519 keys as the log knows them: public halves in SPKI/base64, private ones as files or as one line for a job. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from "node:crypto"

/** The id of a public key: the first 16 hex digits of its SHA-256. */
export const keyId = (publicKey: string): string =>
  sha256(Buffer.from(publicKey, "base64")).toString("hex").slice(0, 16)

/**
 * What two people compare by eye: 80 bits of the SHA-256 of a public key, in four groups of four letters and digits (Crockford's
 * base 32, which has no I, L, O and U).
 */
export const fingerprint = (publicKey: string): string =>
  fingerprintText(sha256(Buffer.from(publicKey, "base64")).subarray(0, 10))

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

const sha256 = (bytes: Buffer | string): Buffer => createHash("sha256").update(bytes).digest()

/** A public key to verify with; `undefined` where the text is none. Parsed once. */
export const publicKeyOf = (publicKey: string): KeyObject | undefined => {
  const known = parsed.get(publicKey)
  if (known !== undefined) return known
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" })
    if (key.asymmetricKeyType !== "ed25519") return undefined
    if (parsed.size > 10_000) parsed.clear()
    parsed.set(publicKey, key)
    return key
  } catch {
    return undefined
  }
}

const parsed = new Map<string, KeyObject>()

/** Whether a signature over bytes was made with the private half of a public key. Never throws. */
export const holds = (publicKey: string, bytes: Buffer, signature: string): boolean => {
  const key = publicKeyOf(publicKey)
  try {
    return key !== undefined && verify(null, bytes, key, Buffer.from(signature, "base64"))
  } catch {
    return false
  }
}

/** The public half in SPKI/base64. */
export const publicHalf = (key: KeyObject): string =>
  createPublicKey(key).export({ format: "der", type: "spki" }).toString("base64")

/** A new private key. */
export const newKey = (): KeyObject => generateKeyPairSync("ed25519").privateKey

/** PKCS #8 of an Ed25519 key is this, and its 32 bytes (RFC 8410, section 7). */
const pkcs8 = Buffer.from("302e020100300506032b657004220420", "hex")

const keyOfSeed = (seed: Buffer): KeyObject =>
  createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: "der", type: "pkcs8" })

const jobPrefix = "context-key-"

/** The root of a log, as somebody vouches for it who is under it: by its event, and the fingerprint of its key. */
export interface Vouched {
  readonly root: string
  readonly fingerprint: string
}

const vouchedBytes = ({ fingerprint, root }: Vouched): Buffer =>
  Buffer.concat([Buffer.from(root.replaceAll("-", ""), "hex"), fingerprintBytes(fingerprint)])

/** A root's id (16 bytes) and its fingerprint (10). */
const vouchedOf = (bytes: Buffer): Vouched => {
  const hex = bytes.subarray(0, 16).toString("hex")
  const root = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-")
  return { root, fingerprint: fingerprintText(bytes.subarray(16, 26)) }
}

/** A private key as one line, for the environment of a job that keeps no home, with the root of the log that it is for. */
export const keyLine = (key: KeyObject, vouched: Vouched): string => {
  const seed = key.export({ format: "der", type: "pkcs8" }).subarray(-32)
  return `${jobPrefix}${Buffer.concat([seed, vouchedBytes(vouched)]).toString("base64url")}`
}

/** Whether a text is a key itself, and not the path of one. */
export const isKeyLine = (text: string): boolean => text.startsWith(jobPrefix)

/** The key of such a line; `undefined` where it is damaged. */
export const keyOfLine = (line: string): KeyObject | undefined => {
  const bytes = bytesOfLine(line)
  return bytes && keyOfSeed(bytes.subarray(0, 32))
}

/** The root of the log that the key of such a line is for. */
export const rootOfLine = (line: string): Vouched | undefined => {
  const bytes = bytesOfLine(line)
  return bytes && vouchedOf(bytes.subarray(32))
}

const bytesOfLine = (line: string): Buffer | undefined => {
  const text = line.trim().slice(jobPrefix.length)
  const bytes = Buffer.from(text, "base64url")
  return bytes.length === 58 && isKeyLine(line) && bytes.toString("base64url") === text ? bytes : undefined
}

/** What an invite's code says: a secret of 128 random bits, the root's event, and the fingerprint of the root's key. */
export interface InviteCode extends Vouched {
  readonly secret: Buffer
}

/** A fresh secret. */
export const newSecret = (): Buffer => randomBytes(16)

/** A code as it is shown and typed: base64url of the secret (16 bytes), the root's id (16) and its fingerprint (10). */
export const encodeInvite = (code: InviteCode): string =>
  Buffer.concat([code.secret, vouchedBytes(code)]).toString("base64url")

/** Reads a code; `undefined` where it is none. */
export const decodeInvite = (text: string): InviteCode | undefined => {
  const bytes = Buffer.from(text.trim(), "base64url")
  if (bytes.length !== 42 || bytes.toString("base64url") !== text.trim()) return undefined
  return { secret: bytes.subarray(0, 16), ...vouchedOf(bytes.subarray(16)) }
}

const fingerprintBytes = (text: string): Buffer => {
  const bits = [...text.replaceAll("-", "")].reduce((sum, letter) => (sum << 5n) | BigInt(alphabet.indexOf(letter)), 0n)
  return Buffer.from(bits.toString(16).padStart(20, "0"), "hex")
}

const fingerprintText = (bytes: Buffer): string => {
  const bits = BigInt(`0x${bytes.toString("hex")}`)
  const letters = Array.from({ length: 16 }, (_, index) => alphabet[Number((bits >> BigInt(5 * (15 - index))) & 31n)])
  return (letters.join("").match(/.{4}/g) as ReadonlyArray<string>).join("-")
}

/** The key that a secret makes: whoever has the code has the private half, and the log has the public one. */
export const inviteKey = (secret: Buffer): KeyObject =>
  keyOfSeed(Buffer.from(hkdfSync("sha256", secret, "", "context infra: an invite", 32)))

/** What an invite's key signs for a newcomer: nothing of it serves anyone else, or another log. */
export const invitedBytes = (root: string, publicKey: string): Buffer =>
  sha256(JSON.stringify(["context infra: enrol", root, publicKey]))

/** The proof that a newcomer has the code. */
export const prove = (secret: Buffer, root: string, publicKey: string): string =>
  sign(null, invitedBytes(root, publicKey), inviteKey(secret)).toString("base64")
