/** The help: what a place in the command tree offers, as text for the terminal's width. Needs nothing of Effect. */
import type * as Args from "@effect/cli/Args"
import type * as Options from "@effect/cli/Options"
import type { Entry } from "./branch.js"
import { pad, paint, type Screen, width, wrap } from "./render/text.js"
import { locate, type Place } from "./tree.js"

/** The help that a command line asks for; `undefined` if it asks for none, or for that of a command there is not. */
export const helpFor = async (argv: ReadonlyArray<string>, screen: Screen): Promise<string | undefined> => {
  const own = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv
  const asked = own.includes("--help") || own.includes("-h")
  if (!asked && own[0]?.startsWith("--")) return undefined
  const place = await locate(asked ? own.filter((word) => word !== "--help" && word !== "-h") : own)
  if ("unknown" in place || ("leaf" in place && !asked)) return undefined
  return renderHelp(place, screen)
}

/** The help of a place in the tree, with the last newline. */
export const renderHelp = (place: Exclude<Place, { unknown: string }>, screen: Screen): string => {
  const page: Page = {
    columns: Math.min(screen.columns === Number.POSITIVE_INFINITY ? 80 : screen.columns, 100),
    screen,
  }
  const sections = "leaf" in place ? ofLeaf(page, place) : ofGroup(page, place)
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`
}

interface Page {
  readonly columns: number
  readonly screen: Screen
}

const ofGroup = (page: Page, { commands, description, name }: Extract<Place, { commands: unknown }>) => [
  paragraph(page, description),
  usage(page, `${name}${name === "context" ? " infra" : ""} <command> [options]`),
  section(
    page,
    "Commands",
    commands.map((entry: Entry) => [entry.name, entry.description]),
  ),
  section(page, "Options", [
    ["-h, --help", "Show this help; after a command, its own"],
    ...(name === "context" ? programOptions : []),
  ]),
]

const programOptions: ReadonlyArray<Row> = [
  ["--version", "Show the version"],
  ["--completions <shell>", "Print the completion script for bash, zsh, fish or sh"],
]

const ofLeaf = (page: Page, { leaf, name, verbs = [] }: Extract<Place, { leaf: unknown }>) => {
  const args = Object.values(leaf.args).map(readArgument)
  const options = Object.values(leaf.options).map(readOption)
  const isShared = (option: Read) => ["--json", "--db", "--at"].includes(option.name)
  const words = [
    ...args.map(inUsage),
    ...options.filter(({ required }) => required).map(inUsage),
    "[options]",
    ...(leaf.passesRest ? ["[-- <command>…]"] : []),
  ]
  return [
    paragraph(page, leaf.description),
    usage(page, `${name} ${words.join(" ")}`, ...(verbs.length === 0 ? [] : [`${name} <command> [options]`])),
    section(
      page,
      "Commands",
      verbs.map((verb) => [verb.name, verb.description]),
    ),
    section(page, "Arguments", args.map(row)),
    section(page, "Options", options.filter((option) => !isShared(option)).map(row)),
    section(page, "Every command", [...options.filter(isShared).map(row), ["-h, --help", "Show this help"]]),
    leaf.examples.length === 0 ? "" : examples(page, leaf.examples),
  ]
}

const paragraph = (page: Page, text: string): string => wrap(sentence(text), page.columns).join("\n")

const sentence = (text: string): string => (/[.?!)]$/.test(text) ? text : `${text}.`)

const title = ({ screen }: Page, text: string): string => paint(screen, "strong", text)

const usage = (page: Page, ...texts: ReadonlyArray<string>): string => {
  const lines = texts.flatMap((text) => {
    const [first = "", ...rest] = wrapUnits(text, page.columns - 4)
    return [`  ${first}`, ...rest.map((line) => `    ${line}`)]
  })
  return [title(page, "Usage:"), ...lines].join("\n")
}

/** Wraps at spaces that are outside brackets, so that `--ip <address>…` stays together. */
const wrapUnits = (text: string, cells: number): ReadonlyArray<string> =>
  wrap(text.replace(/(--\S+) (<)/g, `$1${joint}$2`).replace(/(\[--) /g, `$1${joint}`), cells).map((line) =>
    line.replaceAll(joint, " "),
  )

const joint = "\u0001"

/** A line can be longer than the screen: it is there to be copied. */
const examples = (page: Page, lines: ReadonlyArray<string>): string =>
  [title(page, "Examples:"), ...lines.map((line) => `  context infra ${line}`)].join("\n")

type Row = readonly [left: string, description: string]

/** Names in a column and their descriptions beside it; on a narrow screen beneath. */
const section = (page: Page, heading: string, rows: ReadonlyArray<Row>): string => {
  if (rows.length === 0) return ""
  const room = Math.min(30, Math.floor(page.columns * 0.4))
  const column = Math.min(room, Math.max(...rows.map(([left]) => width(left))))
  const beside = page.columns >= 60
  const indent = beside ? column + 4 : 6
  const lines = rows.flatMap(([left, description]) => {
    const said = wrap(description, page.columns - indent)
    const own = !beside || width(left) > column
    const [first = "", ...rest] = own ? ["", ...said] : said
    return [`  ${own ? left : `${pad(left, column)}  ${first}`}`, ...rest.map((line) => " ".repeat(indent) + line)]
  })
  return [title(page, `${heading}:`), ...lines].join("\n")
}

/** What @effect/cli knows of an option or argument. */
interface Read {
  readonly name: string
  /** Its short name. */
  readonly letter?: string | undefined
  /** What stands for its value; `undefined` for a flag. */
  readonly value: string | undefined
  /** The words it can be, where there are only some. */
  readonly words: ReadonlyArray<string>
  readonly required: boolean
  readonly repeatable: boolean
  readonly description: string
}

const inUsage = ({ name, repeatable, required, value, words }: Read): string => {
  const more = repeatable ? "…" : ""
  // The words themselves say more than the option's own name again.
  if (name.startsWith("-")) return `${name} <${words.length === 2 ? words.join("|") : value}>${more}`
  return required ? `<${name}>${more}` : `[<${name}>${more}]`
}

const row = (read: Read): Row => {
  const { description, name, value, words } = read
  if (!name.startsWith("-")) return [inUsage(read), description]
  const notes = [...(words.length > 0 ? [`one of ${words.join(", ")}`] : []), ...(read.required ? ["required"] : [])]
  const note = notes.length === 0 ? "" : ` (${notes.join("; ")})`
  const letter = read.letter === undefined ? "" : `${read.letter}, `
  return [`${letter}${value === undefined ? name : inUsage(read)}`, `${description}${note}`]
}

/** A node of @effect/cli's own description of options and arguments. Its types are internal; this is what is read of them. */
interface Node {
  readonly _tag: string
  readonly name?: string
  readonly fullName?: string
  readonly aliases?: ReadonlyArray<string>
  readonly pseudoName?: { readonly value?: string }
  readonly primitiveType?: { readonly _tag: string; readonly alternatives?: ReadonlyArray<readonly [string, unknown]> }
  readonly description?: Document
  readonly options?: Node
  readonly args?: Node
  readonly argumentOption?: Node
}

/** A node of @effect/cli's documents. */
interface Document {
  readonly value?: Document | string
  readonly left?: Document
  readonly right?: Document
}

const readOption = (option: Options.Options<any>): Read => {
  const { leaf, repeatable, required } = unwrap(option as unknown as Node)
  const { primitiveType } = leaf
  const isFlag = primitiveType?._tag === "Bool"
  const words = (primitiveType?.alternatives ?? []).map(([word]) => word)
  return {
    name: leaf.fullName ?? "",
    letter: leaf.aliases?.[0] === undefined ? undefined : `-${leaf.aliases[0]}`,
    value: isFlag ? undefined : (leaf.pseudoName?.value ?? (words.length > 0 ? (leaf.name ?? "word") : "value")),
    words,
    required: required && !isFlag && !repeatable,
    repeatable,
    description: textOf(leaf.description),
  }
}

const readArgument = (argument: Args.Args<any>): Read => {
  const { leaf, repeatable, required } = unwrap(argument as unknown as Node)
  return {
    name: leaf.pseudoName?.value ?? (leaf.name ?? "").replace(/^<|>$/g, ""),
    value: undefined,
    words: [],
    required: required && !repeatable,
    repeatable,
    description: textOf(leaf.description),
  }
}

/** The option or argument itself, beneath what was done to it. */
const unwrap = (node: Node): { readonly leaf: Node; readonly required: boolean; readonly repeatable: boolean } => {
  const inner = node.options ?? node.args ?? node.argumentOption
  if (inner === undefined) return { leaf: node, required: true, repeatable: false }
  const { leaf, repeatable, required } = unwrap(inner)
  return {
    leaf,
    required: required && node._tag !== "WithDefault",
    repeatable: repeatable || node._tag === "Variadic",
  }
}

const textOf = (document: Document | string | undefined): string => {
  if (document === undefined) return ""
  if (typeof document === "string") return document
  return `${textOf(document.value)}${textOf(document.left)}${textOf(document.right)}`
}
