/** Whose commands were refused: by the name that the log has for the key that gave them, for host names may be alike. */
import type { Meta } from "../../Event.js"
import type { RejectionRow } from "../../views/rejections.js"
import { saysLocal } from "./saysLocal.js"

/**
 * The rows as people are shown them: with the names of their machines, and with which of them a server was to be local to. Where no key
 * is known, the host name has to do.
 */
export const calledNow = (
  rows: ReadonlyArray<RejectionRow>,
  names: ReadonlyMap<string, string>,
): ReadonlyArray<RejectionRow> =>
  rows.map((row) => {
    const machine = names.get(keyOf(row) ?? "") ?? row.machine
    return { ...row, machine, what: saysLocal(row) === undefined ? row.what : `${row.what}, local to ${machine}` }
  })

const keyOf = ({ events }: RejectionRow): string | undefined => (events[0]?.meta as Meta | null | undefined)?.key
