/** The timeline as text. */
import type { TimelineRow } from "@context-engine/core/services/registry/entries"
import { state, styleOf } from "./states.js"
import { type Column, table } from "./table.js"
import type { Renderer } from "./text.js"
import { ago, moment } from "./units.js"

/** `ids`: with the ids by which entries are changed. */
export const timeline =
  (ids: boolean): Renderer<ReadonlyArray<TimelineRow>> =>
  (rows, screen) => {
    const columns: ReadonlyArray<Column<TimelineRow>> = [
      { title: "when", cell: (row) => ago(screen, row.createdAt) },
      { title: "severity", cell: (row) => state(row.severity) },
      { title: "type", cell: (row) => row.type.replace("_", " ") },
      { title: "by", cell: (row) => row.actor },
      ...(ids ? [{ title: "id", cell: (row: TimelineRow) => row.id }] : []),
      {
        title: "what",
        cell: (row) => ({ text: what(row), style: row.severity === "info" ? undefined : styleOf(row.severity) }),
        flexible: true,
      },
    ]
    return rows.length === 0 ? "nothing has happened" : table(screen, columns, rows)
  }

const what = (row: TimelineRow): string => {
  const where = [row.server, row.service].filter((name) => name !== null && !row.title.includes(name)).join("/")
  const clock = row.statedAt === undefined ? "" : ` (its writer said ${moment(row.statedAt)})`
  return `${where === "" ? "" : `${where}: `}${row.title}${row.description === null ? "" : `: ${row.description}`}${clock}`
}
