/** The options that name a secret, and those that set its fields. None of them takes the secret itself. */
import type { Secret } from "@context-engine/core/domain/Secret"
import { argument, change, choiceOrNone, given, text } from "../../options.js"

const managers = ["env_file", "1password", "vault", "doppler"] as const satisfies ReadonlyArray<
  NonNullable<Secret["secretManager"]>
>

export const name = argument("name", "Its name, as the environment variable is called: DATABASE_URL")

/** Whose it is: with the name, what tells one secret from another. */
export const ownerOptions = {
  service: text("service", "service", "The service it belongs to"),
  server: text("server", "server", "The server it belongs to"),
}

export const fieldOptions = {
  manager: choiceOrNone("manager", managers, "What keeps it"),
  path: text("path", "path", "Where the manager keeps it; never the secret itself"),
  rotate: text("rotate", "span", "How often it should be changed: 90d"),
  notes: text("notes", "text", "Anything worth knowing"),
}

interface Key {
  readonly name: string
  readonly service: string | undefined
  readonly server: string | undefined
}

/** The secret that is meant. */
export const keyOf = (options: Key) => ({
  name: options.name,
  ...given({ service: options.service, server: options.server }),
})

interface Fields {
  readonly manager: (typeof managers)[number] | null | undefined
  readonly path: string | undefined
  readonly rotate: string | undefined
  readonly notes: string | undefined
}

/** The fields that the options set. */
export const fieldsOf = (options: Fields) =>
  given({
    secretManager: options.manager,
    path: change(options.path),
    rotationPolicy:
      options.rotate === undefined ? undefined : options.rotate === "" ? null : { interval: options.rotate },
    notes: change(options.notes),
  })

/** `secret DATABASE_URL of api`, as people say it. */
export const labelOf = (key: { name: string; service?: string | null; server?: string | null }): string => {
  const owner = key.service ?? key.server
  return `secret ${key.name}${owner ? ` of ${owner}` : ""}`
}
