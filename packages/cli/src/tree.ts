/** The command tree: what of it a command line names. Loads nothing else. */
import { type Branch, type Entry, type Group, isBranch, isGroup } from "./branch.js"
import type { Leaf } from "./leaf.js"
import { nouns } from "./nouns.js"

/** Where a line leads: to a leaf (of which there may be verbs) and what is left for it, to a group, or nowhere. */
export type Place =
  | { readonly name: string; readonly leaf: Leaf; readonly verbs?: Group; readonly argv: ReadonlyArray<string> }
  | { readonly name: string; readonly description: string; readonly commands: ReadonlyArray<Entry> }
  | { readonly name: string; readonly unknown: string; readonly known: ReadonlyArray<string> }

const root: Entry = {
  name: "context",
  description: "Knows your infrastructure, does the daily work on it, and keeps every change",
}

const infra: Entry = {
  name: "context infra",
  description: "Servers, services, routes, dependencies, secrets and deployments",
}

/** Follows the first words of a line down the tree. Options that stand between them belong to the leaf. */
export const locate = async (argv: ReadonlyArray<string>): Promise<Place> => {
  const first = takeWord(argv)
  // All there is lies under `infra`: no need to ask twice.
  if (first.word === undefined) return { ...root, commands: nouns.map(under("infra")) }
  // Who is in trouble should not have to know where it lies.
  const isDoctor = first.word === "doctor"
  if (first.word !== "infra" && !isDoctor) return { name: root.name, unknown: first.word, known: ["infra", "doctor"] }
  const second = isDoctor ? first : takeWord(first.rest)
  if (second.word === undefined) return { ...infra, commands: nouns }
  const noun = nouns.find(({ name }) => name === second.word)
  if (noun === undefined) return { name: infra.name, unknown: second.word, known: nouns.map(nameOf) }
  const name = `${infra.name} ${noun.name}`
  const found = await noun.load()
  if (isBranch(found)) return locateIn(name, found, second.rest)
  if (!isGroup(found)) return { name, leaf: found, argv: second.rest }
  const third = takeWord(second.rest)
  if (third.word === undefined) return { name, description: noun.description, commands: found }
  const leaf = found.find((verb) => verb.name === third.word)
  if (leaf === undefined) return { name, unknown: third.word, known: found.map(nameOf) }
  return { name: `${name} ${leaf.name}`, leaf, argv: third.rest }
}

/** A verb has to come first, but for options that every leaf takes: `deploy --version lock` asks for a version. */
const locateIn = (name: string, { own, verbs }: Branch, argv: ReadonlyArray<string>): Place => {
  for (let i = 0; i < argv.length; i++) {
    const token = argv[i] as string
    const leaf = verbs.find((verb) => verb.name === token)
    if (leaf !== undefined) {
      return { name: `${name} ${leaf.name}`, leaf, argv: [...argv.slice(0, i), ...argv.slice(i + 1)] }
    }
    if (token === "--db" || token === "--at") i++
    else if (!/^--(json$|db=|at=)/.test(token)) break
  }
  return { name, leaf: own, verbs, argv }
}

const nameOf = ({ name }: Entry): string => name

const under =
  (parent: string) =>
  ({ description, name }: Entry): Entry => ({ name: `${parent} ${name}`, description })

/** The first word, and the line without it. The values of the options that every leaf takes are no words. */
const takeWord = (argv: ReadonlyArray<string>): { readonly word?: string; readonly rest: ReadonlyArray<string> } => {
  for (let i = 0; i < argv.length && argv[i] !== "--"; i++) {
    const token = argv[i] as string
    if (!token.startsWith("-")) return { word: token, rest: [...argv.slice(0, i), ...argv.slice(i + 1)] }
    if (token === "--db" || token === "--at") i++
  }
  return { rest: argv }
}
