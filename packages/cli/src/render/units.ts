/** Times, spans and sizes as people say them. */
import { count } from "@context-engine/core/words"
import type { Screen } from "./text.js"

const minute = 60
const hour = 60 * minute
const day = 24 * hour

/**
 * How long ago an instant (ISO 8601) was: `12s ago`, `3m ago`, `2d ago`; the date if that was long ago. What has happened and lies in
 * the future by this machine's clock gets its plain time: one of the two clocks is wrong.
 */
export const ago = (screen: Screen, instant: string | null): string => {
  if (instant === null) return ""
  if (screen.now === undefined) return moment(instant)
  const seconds = Math.floor((screen.now - Date.parse(instant)) / 1000)
  if (Number.isNaN(seconds)) return instant
  if (seconds < -minute) return `${moment(instant)} UTC`
  if (seconds < 1) return "just now"
  return seconds > 90 * day ? instant.slice(0, 10) : `${span(seconds)} ago`
}

/** The same for what ends at an instant, and may have ended: `in 3m`, `2d ago`. */
export const ends = (screen: Screen, instant: string): string => {
  const seconds = screen.now === undefined ? 0 : Math.floor((Date.parse(instant) - screen.now) / 1000)
  return seconds > minute ? `in ${span(seconds)}` : ago(screen, instant)
}

/** A span in its largest unit: `45s`, `3m`, `5h`, `12d`. */
export const span = (seconds: number): string => {
  if (seconds < minute) return `${Math.floor(seconds)}s`
  if (seconds < hour) return `${Math.floor(seconds / minute)}m`
  if (seconds < 2 * day) return `${Math.floor(seconds / hour)}h`
  return `${Math.floor(seconds / day)}d`
}

/** A span in its two largest units: `<0.1 s`, `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export const duration = (seconds: number): string => {
  if (seconds < 0.05) return "<0.1 s"
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`
  if (seconds < minute) return `${Math.round(seconds)} s`
  const [large, small, names] = seconds < hour ? [minute, 1, ["min", "s"]] : [hour, minute, ["h", "min"]]
  const rest = Math.floor((seconds % large) / small)
  return `${Math.floor(seconds / large)} ${names[0]}${rest === 0 ? "" : ` ${rest} ${names[1]}`}`
}

/** A point in time to the second, in UTC: `2026-11-01 12:00:05`. */
export const moment = (instant: string): string => `${instant.slice(0, 10)} ${instant.slice(11, 19)}`

/** A size: `512 B`, `3.2 GB` (of 1024 each). */
export const bytes = (size: number): string => {
  const units = ["B", "KB", "MB", "GB", "TB", "PB"]
  const step = size <= 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(size) / 10))
  const value = size / 1024 ** step
  return `${value < 10 && step > 0 ? value.toFixed(1) : Math.round(value)} ${units[step]}`
}

/** How full something is: `62% of 15 GB`. */
export const used = (size: { readonly total: number; readonly available: number } | null): string =>
  size === null || size.total === 0
    ? ""
    : `${Math.round((1 - size.available / size.total) * 100)}% of ${bytes(size.total)}`

/** A version, shortened if it is a git sha. */
export const version = (text: string | null): string =>
  text === null ? "" : /^[0-9a-f]{40,64}$/.test(text) ? text.slice(0, 12) : text

export { count }

/** Rows that a backup or a stream of events came with, and that were not what its events say. */
export const rebuiltInWords = (rows: number): string =>
  `${count(rows, "row")} ${rows === 1 ? "was not what the events say, and was" : "were not what the events say, and were"} built anew`

/** The beginnings by which rows are told apart: as short as that allows, since ids of one moment begin the same. */
export const shortIds = (rows: ReadonlyArray<{ readonly id: string }>): ((row: { readonly id: string }) => string) => {
  const least = 18
  const ids = rows.map(({ id }) => id)
  const isUnique = (length: number) => new Set(ids.map((id) => id.slice(0, length))).size === new Set(ids).size
  let length = least
  while (length < 36 && !isUnique(length)) length += 1
  return ({ id }) => id.slice(0, length)
}
