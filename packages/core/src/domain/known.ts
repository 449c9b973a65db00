/**
 * Keeps of a value only what its schema names. An event may hold more than its type says, and nobody has looked at that: no fold may
 * see it.
 */
import type * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"

type Keep = (value: unknown) => unknown

/** Gives the value itself where it holds nothing else, which is nearly always. The value has to fit the schema. */
export const keepKnown = (schema: Schema.Schema.All): Keep => keepOf(schema.ast)

const all: Keep = (value) => value

const keepOf = (ast: AST.AST): Keep => {
  switch (ast._tag) {
    case "TypeLiteral":
      return membersOf(ast)
    case "TupleType":
      return itemsOf(ast)
    case "Union":
      return oneOf(ast)
    case "Refinement":
      return keepOf(ast.from)
    case "Suspend":
      return later(ast)
    default:
      return all
  }
}

/** A schema that is part of itself is read when it is met. */
const later = (ast: AST.Suspend): Keep => {
  let keep: Keep | undefined
  return (value) => {
    keep ??= keepOf(ast.f())
    return keep(value)
  }
}

/** Of a struct the names are given; of a record they are free, and its values are not. */
const membersOf = ({ indexSignatures, propertySignatures }: AST.TypeLiteral): Keep => {
  const named = new Map(propertySignatures.map(({ name, type }) => [name as string, keepOf(type)]))
  const rest = indexSignatures[0] && keepOf(indexSignatures[0].type)
  return (value) => (isObject(value) ? members(value, (name) => named.get(name) ?? rest) : value)
}

const members = (value: object, keepFor: (name: string) => Keep | undefined): object =>
  Object.keys(value).every((name) => keepFor(name)?.(value[name as never]) === value[name as never])
    ? value
    : Object.fromEntries(
        Object.entries(value).flatMap(([name, member]) => {
          const keep = keepFor(name)
          return keep === undefined ? [] : [[name, keep(member)]]
        }),
      )

const itemsOf = ({ elements, rest }: AST.TupleType): Keep => {
  const keeps = elements.map(({ type }) => keepOf(type))
  const others = rest[0] === undefined ? all : keepOf(rest[0].type)
  if (others === all && keeps.every((keep) => keep === all)) return all
  return (value) => {
    if (!Array.isArray(value)) return value
    const next = value.map((item, index) => (keeps[index] ?? others)(item))
    return next.some((item, index) => item !== value[index]) ? next : value
  }
}

/** At most one shape of a union holds members: which of several one is of would have to be guessed. */
const oneOf = ({ types }: AST.Union): Keep => {
  const keeps = types.map(keepOf).filter((keep) => keep !== all)
  if (keeps.length > 1) throw new Error("a union of an event's schema has one shape with members at most")
  return keeps[0] ?? all
}

const isObject = (value: unknown): value is object =>
  value !== null && typeof value === "object" && !Array.isArray(value)
