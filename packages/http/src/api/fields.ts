/** The parts of a request: what stands in the path, behind the `?` and in the body. Unknown keys are refused everywhere. */
import type { Entity } from "@context-engine/core/domain/Entity"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

const strict = { parseOptions: { onExcessProperty: "error" } } as const

/** A name in the path. The router takes the percent signs out; the client puts them in: `server%2Fapi`. */
const Segment = Schema.transform(Schema.String, Schema.String, {
  strict: true,
  decode: (segment) => segment,
  encode: encodeURIComponent,
})

/** The named segments of a path. */
export const path = <const Name extends string>(
  ...names: ReadonlyArray<Name>
): Schema.Schema<{ readonly [K in Name]: string }, { readonly [K in Name]: string }> =>
  Schema.Struct(Object.fromEntries(names.map((name) => [name, Segment]))) as any

/** What stands behind the `?`. */
export const query = <F extends Schema.Struct.Fields>(fields: F): Schema.Struct<F> =>
  Schema.Struct(fields).annotations(strict)

const moments = "2026-11-01T12:00Z, 2h (that long ago), now or 1234 (a position in the log)"

/** What every request that reads takes: a moment of the log, as `Time.parseMoment` reads it. */
export const reading = {
  at: Schema.optional(Schema.String.annotations({ description: `show it as it was: ${moments}` })),
  knownAt: Schema.optional(
    Schema.String.annotations({ description: `show what this log had recorded by then: ${moments}; not with at` }),
  ),
}

/** How many rows at most. */
export const limit = Schema.optional(Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, 1000)))

/** A span of at most so many milliseconds. */
export const millis = (most: number) => Schema.optional(Schema.Int.pipe(Schema.between(0, most)))

export const flag = Schema.optional(Schema.BooleanFromString)
export const name = Schema.optional(Schema.String)

/** A request's body. */
export const body = <F extends Schema.Struct.Fields>(identifier: string, fields: F): Schema.Struct<F> =>
  Schema.Struct(fields).annotations({ identifier, ...strict })

/** A request's body that may be left out. */
export const optionalBody = <F extends Schema.Struct.Fields>(
  identifier: string,
  fields: F,
): Schema.Schema<Schema.Struct.Type<F>, Schema.Struct.Encoded<F> | null, Schema.Struct.Context<F>> => {
  const present = body(identifier, fields)
  return Schema.transform(Schema.NullOr(present), Schema.typeSchema(present), {
    strict: false,
    decode: (given) => given ?? {},
    encode: (given) => given,
  }) as any
}

interface FromEntity {
  /** Fields that the API does not take: ids, which people give as names. */
  readonly without: ReadonlyArray<string>
  readonly with?: Schema.Struct.Fields
}

/** The body that makes a thing: the entity's own fields, of which those without a default are required. */
export const created = <Body>(identifier: string, entity: Entity<any, any, any>, options: FromEntity) => {
  const needed = AST.getPropertySignatures(AST.encodedAST(entity.input.ast))
    .filter((field) => !field.isOptional)
    .map((field) => field.name as string)
  const fields = fieldsOf(entity, options.without)
  const required = fields.filter((field) => needed.includes(field))
  const optional = fields.filter((field) => !needed.includes(field))
  return fromEntity<Body>(identifier, entity, required, optional, options.with)
}

/** The body that changes a thing: any of the entity's own fields. */
export const changed = <Body>(identifier: string, entity: Entity<any, any, any>, options: FromEntity) =>
  fromEntity<Body>(identifier, entity, [], fieldsOf(entity, options.without), options.with)

const fieldsOf = (entity: Entity<any, any, any>, without: ReadonlyArray<string>): ReadonlyArray<string> =>
  AST.getPropertySignatures(AST.typeAST(entity.input.ast))
    .map((field) => field.name as string)
    .filter((field) => !without.includes(field))

const fromEntity = <Body>(
  identifier: string,
  entity: Entity<any, any, any>,
  required: ReadonlyArray<string>,
  optional: ReadonlyArray<string>,
  extra: Schema.Struct.Fields = {},
): Schema.Schema<Body, any> => {
  const all = Schema.typeSchema(entity.input) as Schema.Schema<any>
  const needed = all.pipe(Schema.pick(...required))
  const rest = Schema.partial(all.pipe(Schema.pick(...optional)))
  return needed.pipe(Schema.extend(rest), Schema.extend(Schema.Struct(extra))).annotations({
    identifier,
    ...strict,
  }) as any
}
