/** What says in the log that a command could not stand, and why: with all of it, so that nothing is lost and it can be given again. */
import { CommandRejected } from "@context-engine/core/domain/Rejection"
import type { Meta } from "@context-engine/core/Event"
import type { Verdict } from "@context-engine/core/services/sync/redecide"
import { mostRefusal } from "../record.js"
import type { Draft } from "../trust/sealing.js"
import type { Placed } from "./already.js"
import { type Author, write } from "./author.js"

type Unit = ReadonlyArray<Placed>

/** An event that tells of a part of a unit, and that part. */
interface Told {
  readonly draft: Draft
  readonly part: Unit
}

/**
 * The events that tell of a unit. One is enough for what this version writes; older versions, and whoever has a key, may have written
 * more at once than one event can tell. `streamOf` gives where the refusal of what begins with an event is kept.
 */
export const refuse = (
  author: Author,
  unit: Unit,
  verdict: Exclude<Verdict, { outcome: "stands" }>,
  streamOf: (first: Placed, fresh: () => string) => string,
): ReadonlyArray<Told> => {
  const parts = partsOf(unit)
  return parts.map((part, index) => {
    const which = parts.length === 1 ? "" : ` (part ${index + 1} of ${parts.length})`
    const reason = `${verdict.reason}${which}`
    return { draft: rejected(author, streamOf(part[0] as Placed, author.id), part, { ...verdict, reason }), part }
  })
}

/** What a refusal takes beside the events: who gave the command, and why it was refused. */
const beside = 20_000

/** The reason names things, and whoever may write can call them anything: so many characters of it are told. */
const mostReason = 1_000

export const cut = (reason: string): string =>
  reason.length <= mostReason ? reason : `${reason.slice(0, mostReason)}…`

/** As many events at a time as one refusal can tell; one in any case. */
const partsOf = (unit: Unit): ReadonlyArray<Unit> => {
  const parts: Array<Array<Placed>> = []
  let left = 0
  for (const event of unit) {
    const bytes = Buffer.byteLength(JSON.stringify(JSON.stringify(originalOf(event)))) + 1
    if (bytes > left) {
      parts.push([])
      left = mostRefusal - beside
    }
    parts[parts.length - 1]?.push(event)
    left -= bytes
  }
  return parts
}

const originalOf = ({ row }: Placed) => ({
  id: row[1],
  stream: row[2],
  type: row[4],
  schema: row[5],
  data: JSON.parse(row[6]),
  meta: JSON.parse(row[7]),
  occurredAt: row[8],
})

const rejected = (
  author: Author,
  stream: string,
  part: Unit,
  { outcome, reason }: Exclude<Verdict, { outcome: "stands" }>,
) => {
  const first = part[0] as Placed
  const { actor, commandId, machine } = first.meta
  const { signature } = first
  const data = { commandId, outcome, reason, actor, machine, events: part.map(originalOf), signature }
  const meta: Meta = { actor, via: first.meta.via, machine, commandId: author.id(), cause: commandId }
  return write(author, stream, CommandRejected, data, meta)
}
