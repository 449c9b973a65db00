/** Judges the key that a server shows by the keys that are pinned for its address. */
import { createHash } from "node:crypto"
import type { ServerHostKeyAlgorithm } from "ssh2"
import { RemoteError } from "../../Errors.js"
import type { HostKey } from "../../Remote.js"
import { clean } from "../Text.js"
import type { Hop } from "./Hop.js"

export type Verdict = "pinned" | "unknown" | "changed"

/** What a server showed, and what the pins say to it. */
export interface Shown {
  readonly key: HostKey
  readonly verdict: Verdict
}

/** Reads the public key blob of a handshake (RFC 4253, 6.6: the algorithm's name comes first) and judges it. */
export const judge = (hop: Hop, blob: Buffer): Shown => {
  const key: HostKey = {
    address: hop.address,
    algorithm: clean(blob.toString("latin1", 4, 4 + blob.readUInt32BE(0))),
    key: blob.toString("base64"),
    fingerprint: `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`,
  }
  if (hop.pins.length === 0) return { key, verdict: "unknown" }
  return { key, verdict: hop.pins.some((pin) => pin.key === key.key) ? "pinned" : "changed" }
}

/** Why a server with that key is not talked to. */
export const rejection = (hop: Hop, { key, verdict }: Shown): RemoteError => {
  const shown = `${key.fingerprint} (${key.algorithm})`
  if (verdict === "unknown") {
    return new RemoteError({
      reason: "host-key-unknown",
      host: hop.address,
      message: `the host key of ${hop.address} is not known: ${shown}. Compare it with what the server itself says (ssh-keygen -lf /etc/ssh/ssh_host_*.pub there), then accept it`,
    })
  }
  const pinned = hop.pins.map((pin) => `${pin.fingerprint} (${pin.algorithm})`).join(" or ")
  return new RemoteError({
    reason: "host-key-changed",
    host: hop.address,
    message: `the host key of ${hop.address} has changed: it shows ${shown}, but ${pinned} is pinned. Nothing was sent: somebody may be listening in`,
  })
}

/** In ssh2's own order of preference. */
const algorithms: ReadonlyArray<ServerHostKeyAlgorithm> = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
  "ssh-rsa",
]

/**
 * The algorithms to offer, those of pinned keys first: a server shows the first one it has, and one with several keys must
 * not seem changed only because it shows another. The rest is offered, too, so that a changed key can be shown to people.
 */
export const offer = (hop: Hop): Array<ServerHostKeyAlgorithm> => {
  const isPinned = (algorithm: string) => hop.pins.some((pin) => pin.algorithm === keyType(algorithm))
  return [...algorithms.filter(isPinned), ...algorithms.filter((algorithm) => !isPinned(algorithm))]
}

/** RFC 8332: the rsa-sha2 signatures are made with keys of type ssh-rsa. */
const keyType = (algorithm: string): string => (algorithm.startsWith("rsa-sha2-") ? "ssh-rsa" : algorithm)
