/** Which machine this is, for `Here`: its host name, and the id of the key that it signs with. */
import { hostname } from "node:os"
import type { Identity } from "@context-engine/core/Here"
import * as Effect from "effect/Effect"
import { loadSigner } from "./Signer.js"

/** The identity of the machine whose key is in a file, which is made if there is none. Looked up when it is first asked for. */
export const identityOf = (keyPath: string | undefined): Effect.Effect<Identity> => {
  let known: Identity | undefined
  return Effect.sync(() => {
    known ??= { key: keyPath === undefined ? undefined : keyOf(keyPath), machine: hostname() }
    return known
  })
}

/** A key that cannot be used is told of when it is to sign. Until then the host name has to do. */
const keyOf = (path: string): string | undefined => {
  try {
    return loadSigner(path).id
  } catch {
    return undefined
  }
}
