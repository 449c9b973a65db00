/** The log as text: one event a line, in canonical JSON, so that the same log is the same file byte for byte. */

import { canonicalJson } from "@context-engine/core/CanonicalJson"
import { InvalidInput } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
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
      if (!row.every((column, index) => kinds[index]?.(column)))
        throw new Error("a field is missing or of another kind")
      return row as unknown as EventRow
    },
    catch: (error) =>
      new InvalidInput({
        field: "",
        reason: `this is no line of an exported log (${(error as Error).message}): ${JSON.stringify(line.slice(0, 80))}`,
      }),
  })

const isText = (value: unknown) => typeof value === "string"
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0
const isTextOrNull = (value: unknown) => value === null || isText(value)
const kinds = [isCount, isText, isText, isCount, isText, isCount, isText, isText, isText, isText, isText, isTextOrNull]
