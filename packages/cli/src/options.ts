/** The options and arguments that commands are made of. Nothing here knows Schema: building them must cost nothing. */
import * as Args from "@effect/cli/Args"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import { pipe } from "effect/Function"
import * as Option from "effect/Option"

/** An argument can never hold NUL, so it can stand for the empty value, which @effect/cli drops from a repeated option. */
export const emptyValue = "\u0000"

const notEmpty = (value: string): string => {
  if (value.trim() === "") throw new Error("must not be empty")
  return value
}

const reasonOf = (error: unknown): HelpDoc.HelpDoc => HelpDoc.p(error instanceof Error ? error.message : String(error))

const repeatable = new WeakSet<object>()

/** Whether an option may be given more than once. */
export const isRepeatable = (option: Options.Options<any>): boolean => repeatable.has(option)

const letters = new WeakMap<object, string>()

/** The same option, which can be given by one letter, too: `-m` for `--message`. */
export const short = <A>(letter: string, option: Options.Options<A>): Options.Options<A> => {
  const both = Options.withAlias(option, letter)
  letters.set(both, `-${letter}`)
  return both
}

/** The short name of an option, with its dash. */
export const shortName = (option: Options.Options<any>): string | undefined => letters.get(option)

const orUndefined = <A>(option: Options.Options<A>): Options.Options<A | undefined> =>
  option.pipe(Options.optional, Options.map(Option.getOrUndefined))

/** Text that must be given. `what` names the value in the help. */
export const required = (name: string, what: string, description: string): Options.Options<string> =>
  Options.text(name).pipe(Options.withPseudoName(what), Options.withDescription(description))

/** Text that may be given. */
export const text = (name: string, what: string, description: string): Options.Options<string | undefined> =>
  orUndefined(required(name, what, description))

/** Text that may be given several times. */
export const many = (name: string, what: string, description: string): Options.Options<ReadonlyArray<string>> => {
  const option = pipe(
    required(name, what, description),
    Options.repeated,
    Options.map((values) => values.map((value) => (value === emptyValue ? "" : value))),
  )
  repeatable.add(option)
  return option
}

/** One of some words. */
export const choice = <const A extends string>(
  name: string,
  words: ReadonlyArray<A>,
  description: string,
): Options.Options<A | undefined> => orUndefined(Options.choice(name, words).pipe(Options.withDescription(description)))

const removable = new WeakSet<object>()

/** Whether empty text, which is none of an option's words, takes its value away. */
export const isRemovable = (option: Options.Options<any>): boolean => removable.has(option)

/** One of some words, or nothing at all to take it away: for updates. */
export const choiceOrNone = <const A extends string>(
  name: string,
  words: ReadonlyArray<A>,
  description: string,
): Options.Options<A | null | undefined> => {
  const option: Options.Options<A | null | undefined> = choice(name, words, description)
  removable.add(option)
  return option
}

/** Present or not. */
export const flag = (name: string, description: string): Options.Options<boolean> =>
  Options.boolean(name).pipe(Options.withDescription(description))

/** `yes` or `no`: for updates, where leaving it out changes nothing. */
export const yesNo = (name: string, description: string): Options.Options<boolean | undefined> =>
  choice(name, ["yes", "no"], description).pipe(
    Options.map((word) => (word === undefined ? undefined : word === "yes")),
  )

/** Text that a function reads; what it throws is the reason for the refusal. */
export const parsed = <A>(
  name: string,
  what: string,
  description: string,
  read: (text: string) => A,
): Options.Options<A | undefined> =>
  orUndefined(required(name, what, description).pipe(Options.mapTryCatch(read, reasonOf)))

/** A whole number from `least` on: most of them count something. */
export const integer = (name: string, description: string, least = 1): Options.Options<number | undefined> =>
  parsed(name, "number", description, (value) => readInteger(value, least))

/** The same, or nothing at all to take it away: for updates. */
export const integerOrNone = (
  name: string,
  description: string,
  least = 1,
): Options.Options<number | null | undefined> =>
  parsed(name, "number", description, (value) => (value === "" ? null : readInteger(value, least)))

/** A size as people write it; empty text takes it away. */
export const size = (name: string, description: string, example: string): Options.Options<string | undefined> =>
  parsed(name, "size", `${description}, for example ${example}`, (value) => {
    if (value === "" || /^\d/.test(value)) return value
    throw new Error(`must be a size such as ${example}, not ${JSON.stringify(value)}`)
  })

/** A file that may be named. */
export const file = (name: string, description: string, what = "file"): Options.Options<string | undefined> =>
  parsed(name, what, description, notEmpty)

/** A file that must be named. */
export const requiredFile = (name: string, description: string): Options.Options<string> =>
  required(name, "file", description).pipe(Options.mapTryCatch(notEmpty, reasonOf))

/** A JSON object; empty text takes it away. */
export const jsonObject = (
  name: string,
  description: string,
): Options.Options<Record<string, unknown> | null | undefined> =>
  parsed(name, "json", description, (value) => {
    if (value === "") return null
    const read = parseJson(value)
    if (typeof read === "object" && read !== null && !Array.isArray(read)) return read as Record<string, unknown>
    throw new Error('must be a JSON object, for example {"workers": 4}')
  })

/** A positional argument. Empty, it is most probably a variable of a script that has no value. */
export const argument = (name: string, description: string): Args.Args<string> =>
  Args.text({ name }).pipe(
    Args.withDescription(description),
    Args.mapTryCatch(notEmpty, (error) => HelpDoc.p(`<${name}> ${(error as Error).message}`)),
  )

/** A positional argument that may be left out. */
export const optionalArgument = (name: string, description: string): Args.Args<string | undefined> =>
  argument(name, description).pipe(Args.optional, Args.map(Option.getOrUndefined))

/** Any number of positional arguments. */
export const argumentList = (name: string, description: string): Args.Args<ReadonlyArray<string>> =>
  argument(name, description).pipe(Args.repeated)

/** What every leaf takes. */
export const shared = {
  json: flag("json", "Print one JSON document and nothing else"),
  db: file("db", "The log's file (default: $CONTEXT_DB, else ~/.claude/infra.db)", "path"),
  waitSync: flag("wait-sync", "Wait until what it wrote is in the shared log"),
}

/** How a moment of the log is written. */
export const moments = "2026-11-01T12:00Z, 2h (that long ago), now or 1234 (a position in the log)"

/** What every leaf that reads takes, too. */
export const reading = {
  at: text("at", "moment", `Answer as of then: ${moments}`),
  knownAt: text("known-at", "moment", "Answer with what this log had recorded by then; not with --at"),
}

/** What every leaf that takes something away takes, too. */
export const removing = { yes: flag("yes", "Do not ask first") }

/** What every leaf that finds things for a person to choose from takes, too. */
export const choosing = {
  apply: flag("apply", "Register what is chosen; without it nothing is registered"),
  yes: flag("yes", "With --apply: do not ask which, take what would be marked at first"),
}

/** What every leaf that connects takes, too. */
export const connecting = {
  acceptHostKey: flag("accept-host-key", "Trust a host key that is seen for the first time, and pin it"),
}

/** What an option of an update asks for: empty text takes a value away. */
export const change = (value: string | undefined): string | null | undefined => (value === "" ? null : value)

/** The same for a list: `--tag ""` empties it. */
export const changeList = (values: ReadonlyArray<string>): ReadonlyArray<string> | undefined =>
  values.length === 0 ? undefined : values.filter((value) => value !== "")

/** The fields that are not `undefined`: what an option did not say is left alone. */
export const given = <A extends object>(fields: A): { [K in keyof A]: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never

const readInteger = (value: string, least: number): number => {
  if (!/^[+-]?\d{1,15}$/.test(value)) throw new Error(`must be a whole number, not ${JSON.stringify(value)}`)
  if (Number(value) < least) throw new Error(`must be at least ${least}, not ${value}`)
  return Number(value)
}

const parseJson = (value: string): unknown => {
  try {
    return JSON.parse(value)
  } catch (error) {
    throw new Error(`is not JSON: ${(error as Error).message}`)
  }
}
