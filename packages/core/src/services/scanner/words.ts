/** Words that a host printed, made fit to be kept and shown: one line, no control characters, no secrets. Pure. */
import { looksRandom, redact, secretShape } from "../../domain/secretShapes.js"
import { plain } from "../deployer/output.js"

/** What is looked at of a word before it is redacted: no host makes this slow. */
const longestRead = 1_000

/** The text as one printable line of at most `most` characters; `undefined` for nothing, and for anything but text. */
export const word = (value: unknown, most = 200): string | undefined => {
  const text = typeof value === "number" && Number.isFinite(value) ? String(value) : value
  if (typeof text !== "string" || text === "") return undefined
  const line = redact(
    plain(text.slice(0, longestRead))
      .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ")
      .trim(),
  ).slice(0, most)
  return line === "" ? undefined : line
}

/** A word without spaces, of letters that names and paths are made of; `undefined` where it is not one, or is a secret. */
export const token = (value: unknown, most = 200): string | undefined => {
  const text = typeof value === "number" && Number.isFinite(value) ? String(value) : value
  if (typeof text !== "string" || text.length > most || !/^[\w@:.,+~/\\-]+$/.test(text)) return undefined
  return secretShape(text) === undefined && !looksRandom(text) ? text : undefined
}

/** An absolute path, spaces allowed within; `undefined` for anything else. */
export const path = (value: unknown): string | undefined => {
  if (typeof value !== "string" || value.length > 400 || !value.startsWith("/")) return undefined
  const text = word(value, 400)
  return text === value && !value.split("/").some(looksRandom) ? text : undefined
}

/** A whole number from 0 up; `undefined` for anything else. */
export const count = (value: unknown): number | undefined => {
  const text = typeof value === "string" ? value.trim() : value
  if (typeof text === "string" ? !/^\d{1,15}$/.test(text) : typeof text !== "number") return undefined
  const number = Number(text)
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

/** A TCP port. */
export const port = (value: unknown): number | undefined => {
  const number = count(value)
  return number !== undefined && number >= 1 && number <= 65_535 ? number : undefined
}

/** A process number. */
export const pid = (value: unknown): number | undefined => {
  const number = count(value)
  return number !== undefined && number >= 1 && number <= 4_194_304 ? number : undefined
}

/** The last part of a path. */
export const basename = (text: string): string => text.slice(text.lastIndexOf("/") + 1)

/** A name that the registry accepts, made from what a host calls something; `undefined` if nothing is left of it. */
export const nameFrom = (text: string | undefined): string | undefined => {
  if (text === undefined || looksRandom(text) || secretShape(text) !== undefined) return undefined
  const name = text
    .slice(0, 200)
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 63)
    .replace(/[-_.]+$/, "")
  return name === "" ? undefined : name
}
