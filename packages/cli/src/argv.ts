/**
 * Sorts a command line: each option with its values, and the words in between.
 *
 * @effect/cli then reads each option from its own tokens alone. Given the whole line it would take an unknown option for a
 * word, a value for the option of the same name, and `deploy --version <sha>` for a question about the program's version.
 */
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import { emptyValue, isRepeatable, shortName } from "./options.js"

export interface Sorted {
  /** By the option's name, for example `--tag`: the tokens to read it from. */
  readonly options: ReadonlyMap<string, ReadonlyArray<string>>
  readonly words: ReadonlyArray<string>
}

/** Why a line cannot be sorted. `unknown` is the option that does not exist. */
export interface Unsortable {
  readonly problem: string
  readonly unknown?: string
}

/** The name of an option with its dashes. */
export const nameOf = (option: Options.Options<any>): string =>
  Option.getOrElse(Options.getIdentifier(option), () => "")

const namesOf = (option: Options.Options<any>): ReadonlyArray<string> => {
  const letter = shortName(option)
  return letter === undefined ? [nameOf(option)] : [nameOf(option), letter]
}

/** Sorts the line by the options that the command has. What follows `--` are words, whatever they look like. */
export const sort = (argv: ReadonlyArray<string>, known: ReadonlyArray<Options.Options<any>>): Sorted | Unsortable => {
  const byName = new Map(known.flatMap((option) => namesOf(option).map((name) => [name, option] as const)))
  const options = new Map<string, Array<string>>()
  const words: Array<string> = []
  for (let i = 0; i < argv.length; i++) {
    const token = argv[i] as string
    if (token === "--") {
      words.push(...argv.slice(i + 1))
      break
    }
    if (!token.startsWith("-") || token === "-") {
      words.push(token)
      continue
    }
    const equals = token.indexOf("=")
    const written = equals < 0 ? token : token.slice(0, equals)
    const option = byName.get(written)
    if (option === undefined) return { problem: `there is no option ${written}`, unknown: written }
    const name = nameOf(option)
    if (options.has(name) && !isRepeatable(option)) return { problem: `${name} is given twice` }
    const inline = equals < 0 ? undefined : token.slice(equals + 1)
    if (Options.isBool(option)) {
      if (inline !== undefined) return { problem: `${name} takes no value` }
      options.set(name, [name])
      continue
    }
    const value = inline ?? argv[++i]
    if (value === undefined || (inline === undefined && byName.has(value))) return { problem: `${name} needs a value` }
    options.set(name, [...(options.get(name) ?? []), name, value === "" && isRepeatable(option) ? emptyValue : value])
  }
  return { options, words }
}
