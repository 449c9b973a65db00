/** Which machine this is, for `Here`: its host name, and the id of the key that it signs with. */
import { hostname } from "node:os"
import type { Identity } from "@context-engine/core/Here"
import * as Effect from "effect/Effect"
import { findSigner } from "./Signer.js"
import { isKeyLine } from "./trust/keys.js"

/** The identity of the machine whose key is in a file, which is not made here. Looked up when it is asked for, until there is one. */
export const identityOf = (keyPath: string | undefined): Effect.Effect<Identity> => {
  let known: Identity | undefined
  const file = keyFileOf(keyPath)
  return Effect.sync(() => {
    const found = known ?? {
      key: keyPath === undefined ? undefined : keyOf(keyPath),
      machine: hostname(),
      ...(file === undefined ? {} : { keyFile: file }),
    }
    if (found.key !== none) known = found
    return found
  })
}

/** Where the key is kept, if that is a file. */
export const keyFileOf = (keyPath: string | undefined): string | undefined =>
  keyPath === undefined || isKeyLine(keyPath) ? undefined : keyPath

/** A machine whose key is yet to be made has said nothing in any log: no key of any is its own. */
const none = ""

/** A key that cannot be used is told of when it is to sign. Until then the host name has to do. */
const keyOf = (path: string): string | undefined => {
  try {
    return findSigner(path)?.id ?? none
  } catch {
    return undefined
  }
}
