/** This machine as an author of events of its own: of what became of commands that could not stand. */

import { MachineJoined } from "@context-engine/core/domain/Machine"
import type { Meta } from "@context-engine/core/Event"
import type { NewEvent } from "@context-engine/core/EventLog"
import * as Id from "@context-engine/core/Id"
import { seal } from "../append.js"
import type { EventRow } from "../record.js"
import type { Signer } from "../Signer.js"

/** An event before it has a place: its position, version, time and hash are still to come. */
export type Placeless = EventRow

export interface Author {
  readonly signer: Signer | undefined
  /** Ids and times for what it writes. */
  readonly id: () => string
  readonly now: () => string
}

/** The author with the system's clock and chance. */
export const author = (signer: Signer | undefined): Author => ({
  signer,
  id: () => Id.fromParts(Date.now(), globalThis.crypto.getRandomValues(new Uint8Array(10))),
  now: () => new Date().toISOString(),
})

/** Writes and signs one event. */
export const write = (
  { id, now, signer }: Author,
  stream: string,
  { type, schema }: { readonly type: string; readonly schema: number },
  data: unknown,
  meta: Meta,
): Placeless => {
  const event: NewEvent = { id: id(), type, schema, data, meta, occurredAt: now() }
  const sealed = seal([{ stream, expected: "any", events: [event] }])
  const [{ data: text, meta: metaText }] = sealed as [(typeof sealed)[0]]
  const signature = signer?.sign(sealed) ?? null
  return [0, event.id, stream, 0, type, schema, text, metaText, event.occurredAt, "", "", signature]
}

/** The stream in which this machine has joined the log. */
export const joinStream = (signer: Signer): string => `machine-${signer.id}`

/** This machine's first event, for a log in which it has written nothing yet. */
export const join = (author: Author, signer: Signer, meta: Meta): Placeless =>
  write(
    author,
    joinStream(signer),
    MachineJoined,
    { machineId: signer.id, name: signer.name, publicKey: signer.publicKey },
    { ...meta, commandId: author.id() },
  )
