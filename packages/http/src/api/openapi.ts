/** What the generated OpenAPI document cannot know by itself. Pure. */

/**
 * The whole API is behind the token but for `/healthz`; the generator says so of none of its routes. Nor does it know that
 * a request that does not fit the contract is an `InvalidInput`, and that a body may be left out.
 */
export const describe = (document: Record<string, any>): Record<string, any> => {
  const { HttpApiDecodeError: _, Issue: __, PropertyKey: ___, ...schemas } = document.components.schemas
  return {
    ...document,
    components: { ...document.components, schemas },
    paths: mapValues(document.paths, (methods: object, path) =>
      mapValues(methods, (operation: any) => ({
        ...operation,
        security: path === "/healthz" ? [] : document.security,
        responses: mapValues(operation.responses, withoutDecodeError),
        ...(operation.requestBody === undefined ? {} : { requestBody: honest(operation.requestBody) }),
      })),
    ),
  }
}

const mapValues = <A, B>(record: { readonly [key: string]: A } | object, f: (value: A, key: string) => B) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value as A, key)]))

const isDecodeError = (schema: any): boolean => schema.$ref === "#/components/schemas/HttpApiDecodeError"

const withoutDecodeError = (response: any) => {
  const schema = response.content?.["application/json"]?.schema
  if (!Array.isArray(schema?.anyOf)) return response
  const anyOf = schema.anyOf.filter((member: any) => !isDecodeError(member))
  if (anyOf.length === schema.anyOf.length) return response
  return {
    description: "The request is not as it should be; `message` says what is wrong with it",
    content: { "application/json": { schema: anyOf.length === 1 ? anyOf[0] : { anyOf } } },
  }
}

const honest = (body: any) => {
  const members: ReadonlyArray<any> = body.content?.["application/json"]?.schema?.anyOf ?? []
  const optional = members.some((member) => member.type === "null")
  return { ...body, required: !optional }
}
