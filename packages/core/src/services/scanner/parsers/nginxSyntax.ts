/** The syntax of nginx's configuration: words, quotes, braces, comments; the files of `nginx -T` apart. Pure; never throws. */

/** `name args;` or `name args { block }`. */
export interface Directive {
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly block?: ReadonlyArray<Directive>
}

/** How deep blocks may be nested, and how many directives are read: more than any real configuration has. */
const deepest = 20
const most = 200_000

/** The files of `nginx -T`, by path. What stands before the first heading is a file of its own. */
export const filesOf = (text: string): ReadonlyMap<string, ReadonlyArray<Directive>> => {
  const files = new Map<string, ReadonlyArray<Directive>>()
  const parts = text.split(/^# configuration file (\/[^\n]*?):?\r?$/m)
  for (let at = 0; at < parts.length; at += 2) {
    const name = at === 0 ? "" : (parts[at - 1] as string)
    if (!files.has(name)) files.set(name, directivesOf(parts[at] as string))
  }
  return files
}

type Open = { readonly name: string; readonly args: ReadonlyArray<string>; readonly block: Array<Directive> }

/** Reads a file. What is never closed ends where the text does; a brace too many is ignored. */
export const directivesOf = (text: string): ReadonlyArray<Directive> => {
  const root: Open = { name: "", args: [], block: [] }
  const open: Array<Open> = [root]
  let words: Array<string> = []
  let read = 0
  let tooDeep = 0
  for (const word of tokens(text)) {
    if (++read > most) break
    const into = open[open.length - 1] as Open
    if (word === separators.end) {
      if (words.length > 0 && tooDeep === 0) into.block.push({ name: words[0] as string, args: words.slice(1) })
      words = []
    } else if (word === separators.open) {
      const block: Open = { name: words[0] ?? "", args: words.slice(1), block: [] }
      words = []
      if (open.length > deepest || tooDeep > 0) tooDeep++
      else {
        into.block.push(block)
        open.push(block)
      }
    } else if (word === separators.close) {
      words = []
      if (tooDeep > 0) tooDeep--
      else if (open.length > 1) open.pop()
    } else if (words.length < 200) words.push(word)
  }
  return root.block
}

/** Marks that no word can be: a quoted brace is a word. */
const separators = { end: "\n;", open: "\n{", close: "\n}" } as const

/** One pass over the text, whatever is in it. */
function* tokens(text: string): Generator<string> {
  let lua = false
  for (let at = 0; at < text.length; ) {
    const char = text[at] as string
    if (char === "#") at = lineEnd(text, at)
    else if (/\s/.test(char)) at++
    else if (char === "{" && lua) {
      // Lua inside has quotes and comments of its own.
      at = afterBlock(text, at)
      lua = false
      yield separators.end
    } else if (char === ";" || char === "{" || char === "}") {
      at++
      lua = false
      yield char === ";" ? separators.end : char === "{" ? separators.open : separators.close
    } else {
      const end = char === '"' || char === "'" ? quoteEnd(text, at) : wordEnd(text, at)
      const word = text.slice(at, Math.min(end, at + longestWord))
      at = end
      lua = word.endsWith("_by_lua_block")
      yield /^["']/.test(word) ? word.slice(1).replace(new RegExp(`${char}$`), "") : word
    }
  }
}

const longestWord = 10_000

const lineEnd = (text: string, from: number): number => {
  const end = text.indexOf("\n", from)
  return end < 0 ? text.length : end
}

const quoteEnd = (text: string, from: number): number => {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++
    else if (text[at] === text[from]) return at + 1
  }
  return text.length
}

/** A word ends at a space, at `;` or at a brace, but for the braces of `${name}`. */
const wordEnd = (text: string, from: number): number => {
  let at = from
  for (; at < text.length; at++) {
    if (text[at] === "\\") at++
    else if (text[at] === "{" && text[at - 1] === "$") at = Math.max(at, nameEnd(text, at))
    else if (/[\s;{}]/.test(text[at] as string)) break
  }
  return Math.min(Math.max(at, from + 1), text.length)
}

const nameEnd = (text: string, from: number): number => {
  const end = /^\{\w{1,100}\}/.exec(text.slice(from, from + 102))
  return end === null ? from : from + end[0].length - 1
}

/** Behind the brace that closes a block of Lua: not one in a string or a comment of its own. */
const afterBlock = (text: string, from: number): number => {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const char = text[at]
    if (char === '"' || char === "'") at = quoteEnd(text, at) - 1
    else if (char === "-" && text[at + 1] === "-") at = lineEnd(text, at)
    else if (char === "{") depth++
    else if (char === "}" && --depth === 0) return at + 1
  }
  return text.length
}
