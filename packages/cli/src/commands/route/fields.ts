/** The options that name a route, and those that set its fields. */
import type { RateLimit, Route } from "@context-engine/core/domain/Route"
import { argument, change, choice, choiceOrNone, given, parsed, text } from "../../options.js"

type Known<K extends keyof Route> = ReadonlyArray<NonNullable<Route[K]>>

const methods = ["*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const satisfies Known<"method">
const proxies = ["nginx", "caddy", "cloudflare", "direct"] as const satisfies Known<"proxyType">
const certificates = ["letsencrypt", "cloudflare", "self-signed"] as const satisfies Known<"ssl">

export const domain = argument("domain", "The domain, for example api.example.com")

/** With the domain, what tells one route from another. */
export const keyOptions = {
  path: text("path", "path", "The path under the domain (default: /)"),
  method: choice("method", methods, "The HTTP method (default: all of them)"),
}

export const fieldOptions = {
  proxy: choiceOrNone("proxy", proxies, "What stands in front of the service"),
  ssl: choiceOrNone("ssl", certificates, "Where the certificate comes from"),
  rateLimit: parsed("rate-limit", "limit", "How many requests in how long, for example 100/1m", (value) =>
    value === "" ? null : readLimit(value),
  ),
  notes: text("notes", "text", "Anything worth knowing"),
}

interface Fields {
  readonly proxy: (typeof proxies)[number] | null | undefined
  readonly ssl: (typeof certificates)[number] | null | undefined
  readonly rateLimit: RateLimit | null | undefined
  readonly auth?: boolean | undefined
  readonly notes: string | undefined
}

/** The fields that the options set. */
export const fieldsOf = (options: Fields) =>
  given({
    proxyType: options.proxy,
    ssl: options.ssl,
    rateLimit: options.rateLimit,
    authRequired: options.auth,
    notes: change(options.notes),
  })

/** `api.example.com/v1`, as people say it. */
export const labelOf = (key: { readonly domain: string; readonly path?: string | undefined }): string =>
  `route ${key.domain}${key.path === undefined || key.path === "/" ? "" : key.path}`

const readLimit = (value: string): RateLimit => {
  const match = /^(\d{1,9})\/(\d{1,6}[smhdw])$/.exec(value)
  if (match === null) throw new Error(`must be requests/span, for example 100/1m, not ${JSON.stringify(value)}`)
  return { requests: Number(match[1]), window: match[2] as string }
}
