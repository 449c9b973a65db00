/** The way to a target as a chain of hops, each reached through the one before it. */
import { userInfo } from "node:os"
import type { HostKey, SshEndpoint, Target } from "../../Remote.js"

/** One SSH server on the way. */
export interface Hop {
  readonly endpoint: SshEndpoint & { readonly user: string }
  /** `host:port`, the name under which its keys are pinned. */
  readonly address: string
  /** The keys pinned for it. */
  readonly pins: ReadonlyArray<HostKey>
  /** The hop it is dialled through. */
  readonly via: Hop | undefined
  /** Equal for two hops that can share a connection: the same way, the same login, the same pins. */
  readonly id: string
}

/** The `Ssh` half of Target. */
export type SshTarget = Extract<Target, { readonly _tag: "Ssh" }>

/** The last hop of the way to a target. */
export const hopTo = (target: SshTarget): Hop => hop(target.endpoint, target.hostKeys)

/** All hops, in the order they are dialled. */
export const way = (last: Hop): ReadonlyArray<Hop> => (last.via === undefined ? [last] : [...way(last.via), last])

const hop = (endpoint: SshEndpoint, hostKeys: ReadonlyArray<HostKey>): Hop => {
  const { host, jump, keyPath, port } = endpoint
  const user = endpoint.user ?? userInfo().username
  const via = jump === undefined ? undefined : hop(jump, hostKeys)
  const address = `${host}:${port}`
  const pins = hostKeys.filter((key) => key.address === address)
  // A connection is shared only by those who would have accepted its key.
  const trusted = pins.map((pin) => `${pin.algorithm} ${pin.key}`).sort()
  return {
    endpoint: { ...endpoint, user },
    address,
    pins,
    via,
    id: JSON.stringify([via?.id ?? "", host, port, user, keyPath ?? "", trusted]),
  }
}
