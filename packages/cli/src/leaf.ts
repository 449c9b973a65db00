/** A leaf of the command tree: its options, what it does, and how people see the answer. */
import * as Args from "@effect/cli/Args"
import type * as CliConfig from "@effect/cli/CliConfig"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import type { ValidationError } from "@effect/cli/ValidationError"
import * as Effect from "effect/Effect"
import { afterwards } from "./afterwards.js"
import { nameOf, sort, type Unsortable } from "./argv.js"
import { isRemovable, shared } from "./options.js"
import { present, type Renderer, type Wanted } from "./output.js"
import type { Said } from "./render/done.js"
import { safe } from "./render/safe.js"
import { type Refused, UsageError } from "./usage.js"

export type AnyOptions = Readonly<Record<string, Options.Options<any>>>
export type AnyArgs = Readonly<Record<string, Args.Args<any>>>
type None = Readonly<Record<never, never>>

/** What a person gave, by the names of the options and arguments. */
export type Given<O extends AnyOptions, A extends AnyArgs> = {
  readonly [K in keyof (O & typeof shared)]: (O & typeof shared)[K] extends Options.Options<infer V> ? V : never
} & { readonly [K in keyof A]: A[K] extends Args.Args<infer V> ? V : never } & {
  /** What stood after `--`, for a leaf that passes it on. */
  readonly rest: ReadonlyArray<string>
}

export interface Leaf {
  readonly name: string
  readonly description: string
  readonly examples: ReadonlyArray<string>
  readonly args: AnyArgs
  readonly options: AnyOptions
  readonly passesRest: boolean
  /** Parses what follows its name and does it. `path` is the whole command, for messages. */
  readonly run: (path: string, argv: ReadonlyArray<string>) => Effect.Effect<void, unknown>
}

export interface LeafSpec<O extends AnyOptions, A extends AnyArgs, V> {
  readonly name: string
  readonly description: string
  /** Lines to learn from, without `context infra`. */
  readonly examples?: ReadonlyArray<string>
  readonly args?: A
  readonly options?: O
  /** Whether what stands after `--` is passed on as it is. */
  readonly passesRest?: boolean
  readonly run: (given: Given<O, A>) => Effect.Effect<V, unknown>
  /** The answer as text for people, loaded when it is needed. With `--json` the answer itself is printed. */
  readonly render?: (given: Given<O, A>) => Promise<Renderer<V>>
  /** The same where one sentence says it, or one a line: what was done. */
  readonly said?: (value: NoInfer<V>, given: Given<O, A>) => Said
  /** Whether the answer is bad news, and what to say about it: exit status 1. */
  readonly unwell?: (value: NoInfer<V>, given: Given<O, A>) => boolean | Refused | undefined
}

const config: CliConfig.CliConfig = {
  isCaseSensitive: true,
  autoCorrectLimit: 0,
  finalCheckBuiltIn: false,
  showAllNames: true,
  showBuiltIns: false,
  showTypes: true,
}

/** Makes a leaf. Every one takes `--json` and `--db`. */
export const leaf = <V, const O extends AnyOptions = None, const A extends AnyArgs = None>(
  spec: LeafSpec<O, A, V>,
): Leaf => {
  const args = spec.args ?? ({} as A)
  const options = { ...spec.options, ...shared }
  const execute = (given: Given<O, A>) =>
    Effect.flatMap(spec.run(given), (value) =>
      Effect.zipRight(
        present(given as Wanted, value, () => rendererOf(spec, given), spec.unwell?.(value, given)),
        afterwards,
      ),
    )
  return {
    name: spec.name,
    description: spec.description,
    examples: spec.examples ?? [],
    args,
    options,
    passesRest: spec.passesRest ?? false,
    run: (path, argv) =>
      Effect.suspend(() => {
        const cut = spec.passesRest && argv.includes("--") ? argv.indexOf("--") : argv.length
        const rest = argv.slice(cut + 1)
        return Effect.flatMap(parse(path, argv.slice(0, cut), options, args), (values) =>
          execute({ ...values, rest } as Given<O, A>),
        )
      }),
  }
}

const rendererOf = async <O extends AnyOptions, A extends AnyArgs, V>(
  { render, said }: LeafSpec<O, A, V>,
  given: Given<O, A>,
): Promise<Renderer<V>> => {
  if (render !== undefined) return render(given)
  if (said === undefined) return () => ""
  const { done } = await import("./render/done.js")
  return done((value) => said(value, given))
}

const parse = (path: string, argv: ReadonlyArray<string>, options: AnyOptions, args: AnyArgs) =>
  Effect.gen(function* () {
    const refuse = (message: string) => new UsageError({ message, see: `${path} --help` })
    const sorted = sort(argv, Object.values(options))
    if ("problem" in sorted) return yield* refuse(yield* explain(sorted, options))
    const values: Record<string, unknown> = {}
    for (const [key, option] of Object.entries(options)) {
      const tokens = sorted.options.get(nameOf(option)) ?? []
      if (tokens[1] === "" && isRemovable(option)) {
        values[key] = null
        continue
      }
      const [, , value] = yield* Options.processCommandLine(option, tokens, config).pipe(
        Effect.mapError((error) => refuse(optionProblem(nameOf(option), tokens, error))),
      )
      values[key] = value
    }
    if (values.at !== undefined && values.knownAt !== undefined) return yield* refuse(twoMoments)
    let words = sorted.words
    for (const [key, arg] of Object.entries(args)) {
      const [left, value] = yield* Args.validate(arg, words, config).pipe(
        Effect.mapError((error) => refuse(plain(error.error))),
      )
      values[key] = value
      words = left
    }
    if (words.length > 0) return yield* refuse(`there is one word too many: ${JSON.stringify(words[0])}`)
    return values
  }) as Effect.Effect<Record<string, unknown>, UsageError>

const twoMoments = "--at asks what had happened by then, --known-at what this log had recorded by then: give one"

/** Adds the option that was probably meant. */
const explain = (problem: Unsortable, options: AnyOptions): Effect.Effect<string> => {
  const { unknown } = problem
  if (unknown === undefined) return Effect.succeed(problem.problem)
  return Effect.promise(async () => {
    const { nearest } = await import("@context-engine/core/services/names")
    const [near] = nearest(unknown, Object.values(options).map(nameOf))
    return near === undefined ? problem.problem : `${problem.problem} — did you mean ${near}?`
  })
}

const optionProblem = (name: string, tokens: ReadonlyArray<string>, error: ValidationError): string => {
  const text = plain(error.error)
  const words = /^Expected one of the following cases: (.*)$/s.exec(text)?.[1]
  if (words !== undefined) return `${name} must be one of ${words}, not ${JSON.stringify(tokens[1] ?? "")}`
  return tokens.length === 0 ? `${name} is missing` : `${name} ${text}`
}

/** The text of a document, without its colours. */
const plain = (doc: HelpDoc.HelpDoc): string =>
  safe(HelpDoc.toAnsiText(doc))
    .replace(/\s+/g, " ")
    .trim()
    .replace(/^M(issing argument <)/, "m$1")
