/**
 * Roots among what others' events came before. A root names the event that it follows, so that nobody can put another past before
 * it: its own machine alone can put it elsewhere, under the same id, and whoever accepted it goes on accepting it.
 */
import { RootEstablished } from "@context-engine/core/domain/Machine"
import { admit, type Membership } from "@context-engine/core/domain/Membership"
import * as Either from "effect/Either"
import type { Connection } from "../connection.js"
import type { EventRow } from "../record.js"
import { claimedKey, isRoot } from "../trust/chain.js"
import { readMembership } from "../trust/membership.js"
import { nameOf } from "../trust/names.js"
import type { Draft } from "../trust/sealing.js"
import { isTurnedDown } from "../trust/turnedDown.js"
import type { Author } from "./author.js"
import { placeOf, Squatted } from "./displaced.js"
import type { Place } from "./protocol.js"
import { draftOf, type Standing } from "./reseal.js"

/** A root that this machine goes by has another past in the shared log now, and another machine's key signed it. */
export class MisplacedRoot {
  constructor(
    readonly position: number,
    readonly name: string,
  ) {}
}

/** Events that are put back together, and what is written before them. */
export interface Part {
  readonly first: ReadonlyArray<Standing>
  readonly rows: ReadonlyArray<EventRow>
}

/**
 * The events after a place, parted before each root that this machine began there: it is written anew after what comes before it.
 * Of another log than this one no root is gone on with. Throws `MisplacedRoot`, or `Squatted` where somebody took its id.
 */
export const partsOf = (
  connection: Connection,
  base: Place,
  mine: ReadonlyArray<EventRow>,
  { author, first }: { readonly author: Author; readonly first: ReadonlyArray<Draft> },
): ReadonlyArray<Part> => {
  const begun = first.map((draft): Standing => ({ drafts: [draft], recordedAt: "", fresh: true }))
  const roots = isSameLog(connection, base)
    ? mine.filter((row) => isRoot(row) && !isThere(connection, row) && !isTurnedDown(connection, row[1]))
    : []
  const squatted = roots.map((row) => placeOf(connection, row[1])).find((position) => position > 0)
  if (squatted !== undefined) throw new Squatted(squatted, "root")
  const foreign = roots.find((row) => claimedKey(row) !== author.signer?.id)
  if (foreign !== undefined) {
    const name = nameOf(connection, claimedKey(foreign) ?? "") ?? String(JSON.parse(foreign[6]).name)
    throw new MisplacedRoot(foreign[0], name)
  }
  const starts = roots.map((row) => mine.indexOf(row))
  const again = roots.map((row): Standing => ({ drafts: [draftOf(row)], recordedAt: row[9], fresh: true }))
  return [begun, ...again.map((one) => [one])].map((before, index) => ({
    first: before,
    rows: mine.slice(index === 0 ? 0 : (starts[index - 1] as number) + 1, starts[index]),
  }))
}

/** The members after what is written before a part, for which only a root matters. */
export const membersAfter = (members: Membership, first: Part["first"]): Membership =>
  first
    .flatMap((unit) => (unit.fresh ? unit.drafts : []))
    .filter(({ type }) => type === RootEstablished.type)
    .reduce((state, { data, id, type }) => {
      const event = { type, data: JSON.parse(data) }
      const signer = event.data.machineId
      // Its cut-off is what it follows, wherever that will be.
      const position = Number.MAX_SAFE_INTEGER
      const next = admit(state, { id, position, event, signer, proves: () => false, accepts: () => true })
      return Either.getOrElse(next, () => state)
    }, members)

/** Whether what follows a place goes on under the root that was there. */
const isSameLog = (connection: Connection, base: Place): boolean =>
  readMembership(connection, base.position).root?.eventId === readMembership(connection).root?.eventId

/** Whether it counts there already. */
const isThere = (connection: Connection, [, id]: EventRow): boolean =>
  connection.prepare("SELECT 1 FROM events WHERE id = ? AND position NOT IN (SELECT position FROM inert)").get(id) !==
  undefined
