/** Which kind of value each column of an event holds: what comes from elsewhere is held against it before it is used. */
import type { EventRow } from "./record.js"

export const isText = (value: unknown): value is string => typeof value === "string"

/** A whole number from one on. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0

const isTextOrNull = (value: unknown) => value === null || isText(value)

/** In the order of `columns`. */
const kinds = [
  isCount,
  isText,
  isText,
  isCount,
  isText,
  isCount,
  isText,
  isText,
  isText,
  isText,
  isText,
  isTextOrNull,
  isTextOrNull,
  isTextOrNull,
]

/** Whether these are the columns of an event: as many, and each of its kind. What they say is another question. */
export const isEventRow = (row: unknown): row is EventRow =>
  Array.isArray(row) && row.length === kinds.length && kinds.every((isKind, index) => isKind(row[index]))
