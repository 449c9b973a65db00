/** Canonical JSON (RFC 8785): one text for one value, so that a hash of it means something. */

/** Serialises a JSON value with sorted keys and no white space. `undefined` members are left out. */
export const canonicalJson = (value: unknown): string => {
  if (typeof value === "string") return quoted(value)
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null"
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`
  const object = value as Record<string, unknown>
  let members = ""
  for (const key of Object.keys(object).sort()) {
    const member = object[key]
    if (member === undefined) continue
    members += `${members === "" ? "" : ","}${quoted(key)}:${canonicalJson(member)}`
  }
  return `{${members}}`
}

/** Most texts need no escape, and to see that costs less than to look for what to escape. */
const quoted = (text: string): string => (plain.test(text) ? `"${text}"` : JSON.stringify(text))

const plain = /^[\w .:/@-]*$/

/** A text as SQLite gives it back: half a character, as where one was cut, and NUL become U+FFFD. */
export const storedText = (text: string): string => text.replace(/[\ud800-\udfff\0]/gu, "\ufffd")

/**
 * The text under which a log keeps a value. What a host printed may have been cut in the middle of a character, or hold NUL.
 * SQLite keeps neither as it is, so they become U+FFFD before anything is hashed. What people type never comes this far: it
 * is refused.
 */
export const storedJson = (value: unknown): string => {
  const json = canonicalJson(value)
  return /\\u(?:0000|d[89a-f])/i.test(json)
    ? json.replace(/\\(?:u(0000|d[89a-f][0-9a-f]{2})|.)/gis, (escape, bad) => (bad === undefined ? escape : "\ufffd"))
    : json
}
