/** The five things one can do to every kind of thing in the registry. The kinds differ in data only. */
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { query, reading } from "./fields.js"
import { withCreated } from "./rows.js"

export interface Reading {
  readonly at?: string | undefined
  readonly knownAt?: string | undefined
}

type Endpoint<
  Name extends string,
  Method extends "GET" | "POST" | "PATCH" | "DELETE",
  Path,
  Query,
  Body,
  Success,
> = HttpApiEndpoint.HttpApiEndpoint<Name, Method, Path, Query, Body, never, Success>

/** The endpoints `list`, `one`, `create`, `update` and `remove`. */
export type Crud<Name extends string, Row, Path, Key, List, Create, Update, Remove> = HttpApiGroup.HttpApiGroup<
  Name,
  | Endpoint<"list", "GET", never, List & Reading, never, ReadonlyArray<Row>>
  | Endpoint<"one", "GET", Path, Key & Reading, never, Row>
  | Endpoint<"create", "POST", never, never, Create, Row>
  | Endpoint<"update", "PATCH", Path, Key, Update, Row>
  | Endpoint<"remove", "DELETE", Path, Key & Remove, never, void>
>

interface Parts<Row, Path, Create, Update, Key, List, Remove> {
  /** What one of them is called, for the documentation: `a server`. */
  readonly noun: string
  readonly description: string
  readonly row: Schema.Schema<Row, any>
  /** Where one of them is, below the group's own path: `/:name`. */
  readonly at: `/:${string}`
  readonly path: Schema.Schema<Path, any>
  readonly create: Schema.Schema<Create, any>
  readonly update: Schema.Schema<Update, any>
  /** What the query says about which one is meant, where the path alone may not tell. */
  readonly key: Key
  /** What the query says about which ones to list. */
  readonly list: List
  /** What the query says about how to remove one. */
  readonly remove: Remove
}

type Fields = Schema.Struct.Fields
type TypeOf<F extends Fields> = Schema.Struct.Type<F>

/** The group of a kind of thing, at `/<name>`. */
export const crud = <
  const Name extends string,
  Row,
  Path,
  Create,
  Update,
  Key extends Fields,
  List extends Fields,
  Remove extends Fields,
>(
  name: Name,
  parts: Parts<Row, Path, Create, Update, Key, List, Remove>,
): Crud<Name, Row, Path, TypeOf<Key>, TypeOf<List>, Create, Update, TypeOf<Remove>> => {
  const [list, one] = readers(name, parts)
  const [create, update, remove] = writers(name, parts)
  return HttpApiGroup.make(name)
    .add(list)
    .add(one)
    .add(create)
    .add(update)
    .add(remove)
    .annotateContext(OpenApi.annotations({ description: parts.description })) as any
}

type AnyParts = Parts<any, any, any, any, Fields, Fields, Fields>

const says = (summary: string) => OpenApi.annotations({ summary })

const readers = (name: string, parts: AnyParts) =>
  [
    HttpApiEndpoint.get("list", `/${name}`)
      .setUrlParams(query({ ...parts.list, ...reading }) as any)
      .addSuccess(Schema.Array(parts.row))
      .annotateContext(says(`List ${name}`)),
    HttpApiEndpoint.get("one", `/${name}${parts.at}`)
      .setPath(parts.path)
      .setUrlParams(query({ ...parts.key, ...reading }) as any)
      .addSuccess(parts.row)
      .annotateContext(says(`Show ${parts.noun}`)),
  ] as const

const writers = (name: string, parts: AnyParts) =>
  [
    HttpApiEndpoint.post("create", `/${name}`)
      .setPayload(parts.create)
      .addSuccess(withCreated(parts.row))
      .annotateContext(says(`Add ${parts.noun}`)),
    HttpApiEndpoint.patch("update", `/${name}${parts.at}`)
      .setPath(parts.path)
      .setUrlParams(query(parts.key) as any)
      .setPayload(parts.update)
      .addSuccess(parts.row)
      .annotateContext(says(`Change ${parts.noun}`)),
    HttpApiEndpoint.del("remove", `/${name}${parts.at}`)
      .setPath(parts.path)
      .setUrlParams(query({ ...parts.key, ...parts.remove }) as any)
      .annotateContext(says(`Remove ${parts.noun}`)),
  ] as const
