/** The log as text: one event a line, in canonical JSON, so that the same log is the same file byte for byte. */
import { InvalidInput } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import { canonicalJson } from "./canonical.js"
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
] as const

/** A row of the log as a line, without its line feed. */
export const encodeLine = (row: EventRow): string =>
  canonicalJson(
    Object.fromEntries(
      fields.map((field, index) => [
        field,
        field === "data" || field === "meta" ? JSON.parse(row[index] as string) : row[index],
      ]),
    ),
  )

/** A line as a row of the log. */
export const decodeLine = (line: string): Effect.Effect<EventRow, InvalidInput> =>
  Effect.try({
    try: () => {
      const value = JSON.parse(line) as Record<string, unknown>
      const row = fields.map((field) =>
        field === "data" || field === "meta" ? canonicalJson(value[field]) : value[field],
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
