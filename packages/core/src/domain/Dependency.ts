/** Dependencies: what a service needs, of ours or of others'. */
import * as Schema from "effect/Schema"
import * as Entity from "./Entity.js"
import { defaulted, Line, optional, Reference, Text, VariableName } from "./fields.js"

export const DependencyType = Schema.Literal("database", "cache", "api", "queue", "auth")

export const entity = Entity.make({
  entity: "Dependency",
  stream: "dependency",
  fields: {
    serviceId: Reference,
    /** One of `dependsOnServiceId` and `dependsOnExternal` is set. */
    dependsOnServiceId: optional(Reference),
    dependsOnExternal: optional(Line),
    dependencyType: optional(DependencyType),
    connectionStringEnv: optional(VariableName),
    required: defaulted(Schema.Boolean, true),
    notes: optional(Text),
  },
  label: (dependency) => dependency.dependsOnExternal ?? dependency.dependsOnServiceId ?? "?",
})

export type Dependency = Schema.Schema.Type<typeof entity.input>
export type DependencyInput = Schema.Schema.Encoded<typeof entity.input>
export type DependencyEvent = Entity.EntityEvent<"Dependency", Dependency>

/**
 * The way from `from` back to `from` that a new edge `from → to` would close, as ids, or `undefined`.
 * `edges` are the required dependencies there are.
 */
export const cycleThrough = (
  edges: ReadonlyArray<readonly [from: string, to: string]>,
  from: string,
  to: string,
): ReadonlyArray<string> | undefined => {
  const next = new Map<string, Array<string>>()
  for (const [a, b] of edges) next.set(a, [...(next.get(a) ?? []), b])
  const seen = new Set<string>()
  const pending: Array<ReadonlyArray<string>> = [[from, to]]
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const last = path[path.length - 1] as string
    if (last === from) return path
    if (seen.has(last)) continue
    seen.add(last)
    for (const node of next.get(last) ?? []) pending.push([...path, node])
  }
  return undefined
}
