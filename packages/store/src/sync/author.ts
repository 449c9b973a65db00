/** This machine as an author of events of its own: of what became of commands that could not stand, and of its wish to join. */
import type { Meta } from "@context-engine/core/Event"
import * as Id from "@context-engine/core/Id"
import type { Rejected } from "@context-engine/core/services/Sync"
import { seal } from "../append.js"
import type { Signer } from "../Signer.js"
import type { Draft } from "../trust/sealing.js"
import type { OwnSessions } from "./ownSessions.js"

export interface Author {
  readonly signer: Signer | undefined
  /** Ids and times for what it writes. */
  readonly id: () => string
  readonly now: () => string
  /** The file lacks what this machine has seen of its log: what it wrote itself comes back with what others wrote. */
  readonly regains?: boolean
  /** In which sessions this machine's key wrote from here; absent where nobody keeps that. */
  readonly sessions?: OwnSessions | undefined
  /** Hears of every command that it tells as refused, wherever on the way that is. */
  readonly onRejected?: (rejected: Rejected) => void
}

/** The author with the system's clock and chance. */
export const author = (signer: Signer | undefined): Author => ({
  signer,
  id: () => Id.fromParts(Date.now(), globalThis.crypto.getRandomValues(new Uint8Array(10))),
  now: () => new Date().toISOString(),
})

/** Writes one event, which is signed when it gets its place. */
export const write = (
  { id, now }: Author,
  stream: string,
  { type, schema }: { readonly type: string; readonly schema: number },
  data: unknown,
  meta: Meta,
): Draft => {
  const event = { id: id(), type, schema, data, meta, occurredAt: now() }
  return seal([{ stream, expected: "any", events: [event] }])[0] as Draft
}
