/** What every part of the registry does alike: decode what was given, execute, and name a taken name. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { Commands, Request } from "../../Commands.js"
import { AlreadyExists, InvalidInput, type RegistryError } from "../../Errors.js"
import type { Recorded } from "../../Event.js"

/** Any request: a plan may concern several kinds of thing at once. */
export type AnyRequest = Request<any, any, any, any>

/** Decodes what a frontend was given. The first thing wrong with it becomes the error. */
export const decode = <A, I>(schema: Schema.Schema<A, I>, input: unknown): Effect.Effect<A, InvalidInput> =>
  Either.match(Schema.decodeUnknownEither(schema, { onExcessProperty: "error" })(input), {
    onRight: Effect.succeed,
    onLeft: (error) => {
      const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
      return new InvalidInput({
        field: (issue?.path ?? []).map(String).join("."),
        reason: (issue?.message ?? "is not valid").replace(/^Expected /, "must be ").replace(/, actual .*$/s, ""),
      })
    },
  })

/**
 * Executes a plan as one transaction. `what` is the thing whose name may turn out to be taken.
 * `guard` when the plan looked at other streams than it writes.
 */
export const execute = <R>(
  commands: Commands["Type"],
  what: { readonly entity: string; readonly name: string },
  plan: Effect.Effect<ReadonlyArray<AnyRequest>, RegistryError, R>,
  guard = true,
): Effect.Effect<ReadonlyArray<Recorded>, RegistryError, R> =>
  commands
    .execute(plan, { guard })
    .pipe(Effect.catchTag("UniqueViolation", () => new AlreadyExists(what))) as Effect.Effect<
    ReadonlyArray<Recorded>,
    RegistryError,
    R
  >

/** What a plan may ask of a thing by its id. */
export const add = (aggregate: AnyRequest["aggregate"], id: string, data: unknown): AnyRequest => ({
  aggregate,
  id,
  command: { _tag: "Add", data },
})

export const update = (aggregate: AnyRequest["aggregate"], id: string, changes: unknown): AnyRequest => ({
  aggregate,
  id,
  command: { _tag: "Update", changes },
})

export const rename = (aggregate: AnyRequest["aggregate"], id: string, to: string): AnyRequest => ({
  aggregate,
  id,
  command: { _tag: "Rename", to },
})

export const remove = (aggregate: AnyRequest["aggregate"], id: string): AnyRequest => ({
  aggregate,
  id,
  command: { _tag: "Remove" },
})
