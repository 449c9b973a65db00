/** What the generated OpenAPI document cannot know by itself. Pure. */
import * as OpenApi from "@effect/platform/OpenApi"
import { meanings } from "./errors.js"

/**
 * The whole API is behind the token but for `/healthz`; the generator says so of none of its routes. Nor does it know that
 * a request that does not fit the contract is an `InvalidInput`, that a body may be left out, and how HTTP itself refuses.
 */
export const describe = (document: Record<string, any>): Record<string, any> => {
  const { HttpApiDecodeError: _, Issue: __, PropertyKey: ___, ...schemas } = document.components.schemas
  return {
    ...document,
    components: { ...document.components, schemas: { ...schemas, Refusal: refusal } },
    paths: mapValues(document.paths, (methods: object, path) =>
      mapValues(methods, path === "/healthz" ? open : (operation) => guarded(operation, document.security)),
    ),
  }
}

/** An operation that may also answer with server-sent events. */
export const streaming = (operation: Record<string, any>): Record<string, any> => {
  const answer = operation.responses["200"]
  const content = { ...answer.content, "text/event-stream": { schema: { type: "string" } } }
  return { ...operation, responses: { ...operation.responses, 200: { ...answer, content } } }
}

/** What an operation does, in a line and at length. */
export const says = (summary: string, description?: string, transform?: typeof streaming) =>
  OpenApi.annotations({ summary, description, transform })

const refusal = {
  type: "object",
  required: ["_tag", "message"],
  properties: { _tag: { type: "string" }, message: { type: "string" } },
}

const refused = {
  description: "No such route, a body too large or not JSON, a request meant for another host, or a bug in the server",
  content: { "application/json": { schema: { $ref: "#/components/schemas/Refusal" } } },
}

/** It takes nothing, so there is nothing in it to refuse. */
const open = ({ responses, ...operation }: any) => ({
  ...operation,
  security: [],
  responses: { 200: responses["200"], 503: responses["503"] },
})

const guarded = (operation: any, security: unknown) => ({
  ...operation,
  security,
  responses: { ...mapValues(operation.responses, withoutDecodeError), default: refused },
  ...(operation.requestBody === undefined ? {} : { requestBody: honest(operation.requestBody) }),
})

const mapValues = <A, B>(record: { readonly [key: string]: A } | object, f: (value: A, key: string) => B) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value as A, key)]))

const isDecodeError = (schema: any): boolean => schema.$ref === "#/components/schemas/HttpApiDecodeError"

const withoutDecodeError = (response: any) => {
  const schema = response.content?.["application/json"]?.schema
  const members: ReadonlyArray<any> = schema?.anyOf ?? []
  const [first, ...others] = members.filter((member) => !isDecodeError(member))
  if (others.length + 1 === members.length || first === undefined) return response
  const left = others.length === 0 ? first : { anyOf: [first, ...others] }
  return { description: meanings[400], content: { "application/json": { schema: left } } }
}

const honest = (body: any) => {
  const members: ReadonlyArray<any> = body.content?.["application/json"]?.schema?.anyOf ?? []
  return { ...body, required: !members.some((member) => member.type === "null") }
}
