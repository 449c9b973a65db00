/** Canonical JSON (RFC 8785): one text for one value, so that a hash of it means something. */

/** Serialises a JSON value with sorted keys and no white space. `undefined` members are left out. */
export const canonicalJson = (value: unknown): string => {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null"
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`
  const object = value as Record<string, unknown>
  let members = ""
  for (const key of Object.keys(object).sort()) {
    if (object[key] === undefined) continue
    members += `${members === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(object[key])}`
  }
  return `{${members}}`
}
