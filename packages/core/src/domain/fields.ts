/** The kinds of value a field may hold. Each is checked where it enters; inside, it is trusted. */
import * as Schema from "effect/Schema"
import { isVariableName } from "../Shell.js"
import { secretShape } from "./secretShapes.js"

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/

/** Why a string cannot be kept as text, or `undefined` if it can. Tabs and newlines are fine; other controls are not. */
export const refuseText = (text: string): string | undefined => {
  if (text.length > 16_384) return `is ${text.length} characters long; at most 16384 are kept`
  if (!(text as string & { isWellFormed(): boolean }).isWellFormed()) return "is not valid Unicode (a lone surrogate)"
  if (control.test(text)) return "has control characters in it"
  const shape = secretShape(text)
  return shape === undefined
    ? undefined
    : `looks like a secret (${shape}); the log never holds one: keep the value in a secret manager and register its name`
}

const text = Schema.String.pipe(Schema.filter((value) => refuseText(value) ?? true))

/** Free text: any Unicode without control characters and without anything that looks like a secret. */
export const Text = text.annotations({ identifier: "Text", title: "text" })

/** One line that is not empty. */
export const Line = text.pipe(
  Schema.filter((value) =>
    value.trim() === "" ? "must not be empty" : value.includes("\n") ? "must be one line" : true,
  ),
)

/** The name of a server or service. `/` is kept for `server/service`. */
export const Name = Schema.String.pipe(
  Schema.filter(
    (value) =>
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(value) ||
      "must begin with a letter or digit and hold only letters, digits, '.', '_' and '-' (at most 63)",
  ),
)

/** The id of something else in the registry; empty only until it is known. */
export const Reference = Schema.String.pipe(
  Schema.filter((value) => /^[0-9A-Za-z-]{0,64}$/.test(value) || "must be the id of something in the registry"),
)

/** A TCP port. */
export const Port = Schema.Number.pipe(
  Schema.filter(
    (value) => (Number.isInteger(value) && value >= 1 && value <= 65_535) || "must be a port from 1 to 65535",
  ),
)

/** The name of an environment variable; never its value. */
export const VariableName = Schema.String.pipe(
  Schema.filter(
    (value) => isVariableName(value) || "must be the name of an environment variable (a name only, never NAME=value)",
  ),
)

/** An IPv4 or IPv6 address. */
export const IpAddress = Schema.String.pipe(
  Schema.filter((value) => isIpAddress(value) || "must be an IPv4 or IPv6 address"),
)

/** A DNS name, `*.` allowed in front. */
export const Domain = Schema.String.pipe(
  Schema.filter(
    (value) =>
      (value.length <= 253 &&
        /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(value)) ||
      "must be a domain name, for example api.example.com",
  ),
)

/** A span of time as people write it: `30s`, `15m`, `2h`, `90d`, `2w`. */
export const Interval = Schema.String.pipe(
  Schema.filter((value) => /^[1-9]\d{0,5}(s|m|h|d|w)$/.test(value) || "must be a span such as 30s, 15m, 2h, 90d or 2w"),
)

/** A path that begins with `/`. */
export const UrlPath = text.pipe(
  Schema.filter((value) => /^\/[^\s]*$/.test(value) || "must begin with / and hold no spaces, for example /health"),
)

/** An instant: ISO 8601 in UTC with milliseconds, as `Date.prototype.toISOString` prints it. */
export const Instant = Schema.String.pipe(
  Schema.filter((value) => {
    const date = new Date(value)
    return (!Number.isNaN(date.getTime()) && date.toISOString() === value) || "must be an ISO 8601 instant in UTC"
  }),
)

/** A JSON object of settings. Its strings obey the rules of `Text`. */
export const JsonObject = Schema.Record({ key: Schema.String, value: Schema.Unknown }).pipe(
  Schema.filter((value) => refuseJson(value, 0) ?? true),
)

/** A field that may be left out or `null`; it is `null` then. */
export const optional = <A>(schema: Schema.Schema<A>) =>
  Schema.optionalWith(Schema.NullOr(schema), { default: () => null })

/** A list that may be left out; it is empty then. */
export const list = <A>(schema: Schema.Schema<A>) =>
  Schema.optionalWith(Schema.Array(schema), { default: () => [] as ReadonlyArray<A> })

/** A field with a value of its own when left out. */
export const defaulted = <A>(schema: Schema.Schema<A>, value: NoInfer<A>) =>
  Schema.optionalWith(schema, { default: () => value })

const isIpAddress = (value: string): boolean => {
  const v4 = value.split(".")
  if (v4.length === 4) return v4.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
  const halves = value.split("::")
  const groups = value.split(":").filter((group) => group !== "")
  return (
    value.includes(":") &&
    halves.length <= 2 &&
    groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)) &&
    (halves.length === 2 ? groups.length < 8 : groups.length === 8)
  )
}

const refuseJson = (value: unknown, depth: number): string | undefined => {
  if (depth > 16) return "is nested more than 16 deep"
  if (typeof value === "string") return refuseText(value)
  if (value === null || typeof value === "boolean") return undefined
  if (typeof value === "number") return Number.isFinite(value) ? undefined : "holds a number that JSON cannot"
  if (typeof value !== "object") return "holds something that is not JSON"
  for (const [key, inner] of Object.entries(value)) {
    const reason = refuseText(key) ?? refuseJson(inner, depth + 1)
    if (reason !== undefined) return reason
  }
  return undefined
}
