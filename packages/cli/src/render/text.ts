/** Measuring, cutting, wrapping and colouring text. */

export interface Screen {
  /** How many characters fit on a line; `Infinity` where nobody looks. */
  readonly columns: number
  readonly colour: boolean
  /** Milliseconds since 1970, for ages; `undefined` for the past as it was, where times are shown whole. */
  readonly now: number | undefined
}

/** An answer as text for people, without the last newline. */
export type Renderer<V> = (value: V, screen: Screen) => string

export type Style = "good" | "bad" | "warn" | "faint" | "strong" | "cyan" | "magenta" | "blue"

const codes: Record<Style, string> = {
  good: "32",
  bad: "31",
  warn: "33",
  faint: "2",
  strong: "1",
  // These mean nothing: they tell apart who speaks.
  cyan: "36",
  magenta: "35",
  blue: "34",
}

/** The text in a colour, on a screen that has colours. */
export const paint = (screen: Screen, style: Style | undefined, text: string): string =>
  screen.colour && style !== undefined && text !== "" ? `\u001b[${codes[style]}m${text}\u001b[0m` : text

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u
const zero = /^(?:\p{M}|\u200d|[\ufe00-\ufe0f])$/u

/** How many cells a terminal gives it. */
export const width = (text: string): number => {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let cells = 0
  for (const char of text) cells += zero.test(char) ? 0 : wide.test(char) && char > "\u00ff" ? 2 : 1
  return cells
}

/** At most so many cells of it, with an ellipsis where something is missing. */
export const cut = (text: string, cells: number): string => {
  if (width(text) <= cells) return text
  let kept = ""
  for (const char of text) {
    if (width(kept + char) > cells - 1) break
    kept += char
  }
  return `${kept.trimEnd()}…`
}

/** Filled up with spaces to so many cells. */
export const pad = (text: string, cells: number, right = false): string => {
  const spaces = " ".repeat(Math.max(0, cells - width(text)))
  return right ? spaces + text : text + spaces
}

/** Broken between words into lines of at most so many cells; a longer word is broken inside. */
export const wrap = (text: string, cells: number): ReadonlyArray<string> => {
  if (width(text) <= cells) return [text]
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(" ").flatMap((long) => pieces(long, cells))) {
    if (line !== "" && width(line) + 1 + width(word) > cells) {
      lines.push(line)
      line = word
    } else {
      line = line === "" ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}

const pieces = (word: string, cells: number): ReadonlyArray<string> => {
  if (width(word) <= cells) return [word]
  const parts: Array<string> = [""]
  for (const char of word) {
    if (width(parts[parts.length - 1] + char) > cells) parts.push("")
    parts[parts.length - 1] += char
  }
  return parts
}
