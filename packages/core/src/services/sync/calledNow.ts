/** Whose commands were refused: by the name that the log has for the key that gave them, for host names may be alike. */
import type { Meta } from "../../Event.js"
import type { RejectionRow } from "../../views/rejections.js"

/** The rows with the names of their machines. Where no key is known, the host name has to do. */
export const calledNow = (
  rows: ReadonlyArray<RejectionRow>,
  names: ReadonlyMap<string, string>,
): ReadonlyArray<RejectionRow> => rows.map((row) => ({ ...row, machine: names.get(keyOf(row) ?? "") ?? row.machine }))

const keyOf = ({ events }: RejectionRow): string | undefined => (events[0]?.meta as Meta | null | undefined)?.key
