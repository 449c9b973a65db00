/** The options that name a dependency, and those that set its fields. */
import type { Dependency } from "@context-engine/core/domain/Dependency"
import { beginsId } from "@context-engine/core/services/names"
import type { DependencyKey } from "@context-engine/core/services/registry/dependencies"
import * as Effect from "effect/Effect"
import { argument, change, choiceOrNone, given, text } from "../../options.js"
import { UsageError } from "../../usage.js"

const types = ["database", "cache", "api", "queue", "auth"] as const satisfies ReadonlyArray<
  NonNullable<Dependency["dependencyType"]>
>

export const service = argument("service", "The service that needs something: api, or myserver/api")

/** What it needs: one of these two. */
export const targetOptions = {
  on: text("on", "service", "The service it depends on"),
  external: text("external", "name", "What it depends on, if that is not one of ours: stripe, s3, …"),
}

export const fieldOptions = {
  type: choiceOrNone("type", types, "What it is used as"),
  env: text("env", "NAME", "The environment variable that says how to reach it: its name only"),
  notes: text("notes", "text", "Anything worth knowing"),
}

interface Key {
  readonly service: string
  readonly on: string | undefined
  readonly external: string | undefined
}

/** Fails unless one thing is said that it depends on. */
export const checkTarget = ({ external, on }: Key): Effect.Effect<void, UsageError> =>
  (on === undefined) !== (external === undefined)
    ? Effect.void
    : new UsageError({
        message: "say what it depends on: either --on <service> or --external <name>",
        see: "context infra dep --help",
      })

/** The dependency that is meant: by its two ends, or by its own id alone. */
export const keyOf = (options: Key): Effect.Effect<DependencyKey, UsageError> => {
  const { external, on, service } = options
  if (on === undefined && external === undefined && beginsId(service)) return Effect.succeed({ service })
  return Effect.as(checkTarget(options), { service, on: on ?? external, external: external !== undefined })
}

interface Fields {
  readonly type: (typeof types)[number] | null | undefined
  readonly env: string | undefined
  readonly notes: string | undefined
  readonly required?: boolean | undefined
}

/** The fields that the options set. */
export const fieldsOf = (options: Fields) =>
  given({
    dependencyType: options.type,
    connectionStringEnv: change(options.env),
    notes: change(options.notes),
    required: options.required,
  })

/** `dependency api → postgres`, as people say it. */
export const labelOf = ({ dependsOn, service }: { readonly service: string; readonly dependsOn: string }): string =>
  `dependency ${service} → ${dependsOn}`
