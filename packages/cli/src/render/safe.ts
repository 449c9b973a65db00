/** Text from elsewhere (names, notes, what servers print), made fit for a terminal: it can say things, not do things. */

// Escape sequences whole, so that no rest of them is left standing: CSI, OSC and other strings, two-character ones.
const escapes =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what it looks for
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g

/** Invisible characters that change how others are shown: bidirectional controls, zero-width ones, lone surrogates. */
const invisible = /[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** Several lines, each without control characters. Tabs become spaces. */
export const safeLines = (text: string): string =>
  text
    .replace(/\r\n?/g, "\n")
    .replace(escapes, "")
    .replace(/\t/g, "  ")
    .replace(/[^\P{Cc}\n]/gu, "")
    .replace(invisible, (found) => (found === "\u200d" ? found : ""))

/** One line without control characters: newlines become spaces. */
export const safe = (text: string): string => safeLines(text).replace(/\s*\n\s*/g, " ")

/** JSON in which every character that a terminal could act on is written as an escape. It says the same. */
export const safeJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
