import { describe, expect, it } from "vitest"
import {
  decodeInvite,
  encodeInvite,
  fingerprint,
  holds,
  invitedBytes,
  inviteKey,
  isKeyLine,
  keyId,
  keyLine,
  keyOfLine,
  newKey,
  newSecret,
  prove,
  publicHalf,
  rootOfLine,
} from "../../src/trust/keys.js"

const key = () => publicHalf(newKey())
const root = "01900000-0000-7000-8000-0000000000ab"

describe("a fingerprint", () => {
  it("has 80 bits in letters that nobody mistakes", () => {
    const prints = Array.from({ length: 200 }, () => fingerprint(key()))
    for (const print of prints) expect(print).toMatch(/^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$/)
    expect(new Set(prints).size).toBe(prints.length)
    // Sixteen letters of five bits; every place of them is used.
    for (let place = 0; place < 19; place++)
      if (place % 5 !== 4) expect(new Set(prints.map((print) => print[place])).size).toBeGreaterThan(16)
  })

  it("is of the whole key, and not of its id alone", () => {
    const [one, two] = [key(), key()]
    expect(fingerprint(one)).toBe(fingerprint(one))
    expect(fingerprint(one)).not.toBe(fingerprint(two))
    expect(keyId(one)).toMatch(/^[0-9a-f]{16}$/)
  })
})

describe("an invite", () => {
  const code = { secret: newSecret(), root, fingerprint: fingerprint(key()) }

  it("comes back from its code", () => {
    expect(decodeInvite(encodeInvite(code))).toEqual(code)
    expect(decodeInvite(` ${encodeInvite(code)}\n`)).toEqual(code)
    expect(code.secret.length).toBe(16)
  })

  it("is none, or another log's, with any one letter changed or missing", () => {
    const text = encodeInvite(code)
    const ours = publicHalf(inviteKey(code.secret))
    for (let at = 0; at < text.length; at++) {
      const other = `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`
      const read = decodeInvite(other)
      const same = read !== undefined && publicHalf(inviteKey(read.secret)) === ours
      expect(same && read.root === root && read.fingerprint === code.fingerprint, `letter ${at}`).toBe(false)
      expect(decodeInvite(text.slice(0, at) + text.slice(at + 1))).toBeUndefined()
    }
    for (const none of ["", "hello", "=".repeat(56), text + text]) expect(decodeInvite(none)).toBeUndefined()
  })

  it("is proved for one key in one log, and for no other", () => {
    const [own, other] = [key(), key()]
    const [secret, publicKey] = [code.secret, publicHalf(inviteKey(code.secret))]
    const proof = prove(secret, root, own)
    expect(holds(publicKey, invitedBytes(root, own), proof)).toBe(true)
    expect(holds(publicKey, invitedBytes(root, other), proof)).toBe(false)
    expect(holds(publicKey, invitedBytes(root.replace("ab", "cd"), own), proof)).toBe(false)
    expect(holds(publicHalf(inviteKey(newSecret())), invitedBytes(root, own), proof)).toBe(false)
  })
})

describe("a key as a line", () => {
  it("comes back from it", () => {
    const made = newKey()
    const vouched = { root, fingerprint: fingerprint(key()) }
    const line = keyLine(made, vouched)
    expect(isKeyLine(line)).toBe(true)
    expect(isKeyLine("/home/ada/.config/context/machine.key")).toBe(false)
    expect(publicHalf(keyOfLine(line) as typeof made)).toBe(publicHalf(made))
    expect(rootOfLine(line)).toEqual(vouched)
    expect(keyOfLine(line.slice(0, -5))).toBeUndefined()
  })

  it("is no signature of anything that is no key", () => {
    for (const none of ["", "AAAA", "x".repeat(1_000), "MCowBQYDK2VwAyEA"])
      expect(holds(none, Buffer.from("x"), "AAAA")).toBe(false)
  })
})
