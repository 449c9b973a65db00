/** The log as text: one event a line, in canonical JSON, so that the same log is the same file byte for byte. */

import { canonicalJson } from "@context-engine/core/CanonicalJson"
import { InvalidInput } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import { isEventRow } from "./kinds.js"
import type { EventRow } from "./record.js"

const fields = [
  "position",
  "id",
  "stream",
  "version",
  "type",
  "schema",
  "data",
  "meta",
  "occurredAt",
  "recordedAt",
  "hash",
  "signature",
  "salt",
  "digest",
] as const

/** Events older than the log's root have neither: their lines are as they ever were. */
const later: ReadonlySet<string> = new Set(["salt", "digest"])

/** A row of the log as a line, without its line feed. */
export const encodeLine = (row: EventRow): string =>
  canonicalJson(
    Object.fromEntries(
      fields.map((field, index) => [field, later.has(field) ? (row[index] ?? undefined) : valueOf(field, row[index])]),
    ),
  )

/** JSON as a value, so that the line is one document. What is no JSON, or not canonical, stands as the text that was hashed. */
const valueOf = (field: string, column: unknown): unknown => {
  if (field !== "data" && field !== "meta") return column
  try {
    const value: unknown = JSON.parse(column as string)
    return typeof value === "object" && value !== null && canonicalJson(value) === column ? value : column
  } catch {
    return column
  }
}

/** A line as a row of the log. */
export const decodeLine = (line: string): Effect.Effect<EventRow, InvalidInput> =>
  Effect.try({
    try: () => {
      const value = JSON.parse(line) as Record<string, unknown>
      const row = fields.map((field) =>
        (field === "data" || field === "meta") && typeof value[field] !== "string"
          ? canonicalJson(value[field])
          : (value[field] ?? (later.has(field) || field === "signature" ? null : undefined)),
      )
      if (!isEventRow(row)) throw new Error("a field is missing or of another kind")
      return row
    },
    catch: (error) =>
      new InvalidInput({
        field: "",
        reason: `this is no line of an exported log (${(error as Error).message}): ${JSON.stringify(line.slice(0, 80))}`,
      }),
  })
