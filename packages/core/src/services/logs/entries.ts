/** What the journal and container engines print, read as data. Pure. */

/** One entry of a log that keeps entries: where it is, so that reading can go on after it, and what it says. */
export interface Entry {
  /** The journal's cursor, or the engine's time stamp. */
  readonly at: string
  readonly text: string
}

/** A line of `journalctl -o json`. Lines that are not entries are left out; messages may be bytes. */
export const readJournal = (line: string): Entry | undefined => {
  try {
    const { __CURSOR: at, MESSAGE: message } = JSON.parse(line)
    if (typeof at !== "string" || !/^[\w=;-]{1,500}$/.test(at)) return undefined
    if (typeof message === "string") return { at, text: message }
    const bytes = Array.isArray(message) && message.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)
    return { at, text: bytes ? new TextDecoder().decode(Uint8Array.from(message)) : "" }
  } catch {
    return undefined
  }
}

/** A line of `docker logs --timestamps`. */
export const readContainer = (line: string): Entry | undefined => {
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ?(.*)$/s.exec(line)
  return found === null ? undefined : { at: found[1] as string, text: found[2] as string }
}
