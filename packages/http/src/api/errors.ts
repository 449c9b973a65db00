/**
 * The domain's errors on the wire: `{ _tag, message, … }` with a status.
 *
 * They are the domain's own classes on both sides, so a caller of the typed client catches `NotFound` as a caller of the
 * registry does. A driver's error, the `cause`, never leaves the process.
 */
import * as Errors from "@context-engine/core/Errors"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as Data from "effect/Data"
import * as Schema from "effect/Schema"

/** No token, or not the right one. */
export class Unauthorized extends Data.TaggedError("Unauthorized")<{ readonly message: string }> {}

/** What a status means here, for the documentation. */
export const meanings = {
  400: "The request is not as it should be; `message` says what is wrong with it",
  401: "The token is missing or not the right one",
  404: "There is no such thing; `suggestions` are the nearest names there are",
  409: "It does not go with what there is",
  422: "It was refused, and nothing was run",
  502: "A host could not be reached, or did not do as asked",
  503: "The log cannot be read or written",
} as const

interface Tagged {
  readonly _tag: string
  readonly message: string
}

/** The wire form of an error class: its tag, its message and the given fields. */
const wire = <E extends Tagged>(
  make: new (fields: any) => E,
  tag: E["_tag"],
  status: keyof typeof meanings,
  fields: Schema.Struct.Fields,
): Schema.Schema<E, any> => {
  const encoded = Schema.Struct({ _tag: Schema.Literal(tag), message: Schema.String, ...fields }).annotations({
    identifier: tag,
  })
  return Schema.transform(encoded as Schema.Schema<any>, Schema.instanceOf(make), {
    strict: false,
    decode: (body: any) => new make(body),
    encode: (error: any) => ({ ...error, _tag: tag, message: error.message }),
  }).annotations(HttpApiSchema.annotations({ status, description: meanings[status] })) as any
}

const names = Schema.Array(Schema.String)
const named = { entity: Schema.String, name: Schema.String }

export const NotFound = wire(Errors.NotFound, "NotFound", 404, { ...named, suggestions: names })
export const AlreadyExists = wire(Errors.AlreadyExists, "AlreadyExists", 409, named)
export const Ambiguous = wire(Errors.Ambiguous, "Ambiguous", 409, { ...named, candidates: names })
export const InUse = wire(Errors.InUse, "InUse", 409, { ...named, by: names })
export const DependencyCycle = wire(Errors.DependencyCycle, "DependencyCycle", 409, { path: names })
export const InvalidInput = wire(Errors.InvalidInput, "InvalidInput", 400, {
  field: Schema.String,
  reason: Schema.String,
})
export const VersionConflict = wire(Errors.VersionConflict, "VersionConflict", 409, {
  stream: Schema.String,
  expected: Schema.Number,
  actual: Schema.Number,
})
export const StorageError = wire(Errors.StorageError, "StorageError", 503, { reason: Schema.String })
export const RemoteError = wire(Errors.RemoteError, "RemoteError", 502, {
  reason: Schema.String,
  host: Schema.String,
})
export const OperationFailed = wire(Errors.OperationFailed, "OperationFailed", 422, {
  operation: Schema.String,
  next: Schema.optional(Schema.String),
})
export const NotAuthorized = wire(Unauthorized, "Unauthorized", 401, {})
