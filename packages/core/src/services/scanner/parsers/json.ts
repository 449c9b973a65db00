/** JSON objects in what a tool printed: greetings before them, a cut end, or one on each line. Pure; never throws. */

/** More than any host has of anything. */
const most = 5_000

export type JsonObject = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** An object, or an empty one. */
export const asObject = (value: unknown): JsonObject => (isObject(value) ? value : {})

/** An array, or an empty one. */
export const asArray = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** The value of a text that is JSON; `undefined` for any other. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The objects of an array, or those that follow each other, wherever in the text they begin. */
export const objectsIn = (text: string): ReadonlyArray<JsonObject> => {
  const start = text.search(/\[\s*(?:\{|\])/)
  if (start >= 0) {
    const whole = parseJson(text.slice(start))
    if (Array.isArray(whole)) return whole.filter(isObject).slice(0, most)
  }
  return balanced(text).map(parseJson).filter(isObject)
}

/** The texts between braces that match, outermost ones. One pass: what is never closed costs nothing more. */
const balanced = (text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  // An object begins with a key or is empty; other braces are a greeting's.
  const begins = /\{\s*["}]/g
  for (let begin = begins.exec(text); begin !== null && found.length < most; begin = begins.exec(text)) {
    const end = closing(text, begin.index)
    if (end < 0) break
    found.push(text.slice(begin.index, end))
    begins.lastIndex = end
  }
  return found
}

const closing = (text: string, from: number): number => {
  const marks = /["{}]/g
  marks.lastIndex = from
  let depth = 0
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    if (mark[0] === '"') {
      const end = endOfString(text, mark.index + 1)
      if (end < 0) return -1
      marks.lastIndex = end
    } else {
      depth += mark[0] === "{" ? 1 : -1
      if (depth === 0) return mark.index + 1
    }
  }
  return -1
}

const endOfString = (text: string, from: number): number => {
  for (let at = from; at < text.length; at++) {
    const char = text[at]
    if (char === "\\") at++
    else if (char === '"') return at + 1
  }
  return -1
}
