/** What was appended together and stands or falls together. */
import { entities } from "./entities.js"

/** What of an event tells which others it belongs to. */
export interface Member {
  readonly type: string
  readonly signature: string | null
  readonly meta: { readonly commandId: string }
}

/** Events in the order of the log, parted into units. One signature spans a unit; unsigned, the command tells. */
export const units = <E extends Member>(events: ReadonlyArray<E>): ReadonlyArray<ReadonlyArray<E>> => {
  const found: Array<Array<E>> = []
  for (const event of events) {
    const unit = found[found.length - 1]
    if (unit !== undefined && together(unit[0] as E, event)) unit.push(event)
    else found.push([event])
  }
  return found
}

const together = (a: Member, b: Member): boolean =>
  a.signature === null || b.signature === null
    ? a.signature === b.signature && a.meta.commandId === b.meta.commandId
    : a.signature === b.signature

/** Whether someone chose it: then it is decided again. All else has happened and always stands. */
export const isDecision = (event: { readonly type: string }): boolean => entities.has(event.type)
