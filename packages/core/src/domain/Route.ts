/** Routes: which domain and path lead to which service. */
import * as Schema from "effect/Schema"
import * as Entity from "./Entity.js"
import { Domain, defaulted, Interval, optional, Reference, Text, UrlPath } from "./fields.js"

export const ProxyType = Schema.Literal("nginx", "caddy", "cloudflare", "direct")
export const Ssl = Schema.Literal("letsencrypt", "cloudflare", "self-signed")
export const Method = Schema.Literal("*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

/** At most `requests` in every `window`. */
export const RateLimit = Schema.Struct({ requests: Schema.Int.pipe(Schema.positive()), window: Interval })
export type RateLimit = typeof RateLimit.Type

export const entity = Entity.make({
  entity: "Route",
  stream: "route",
  fields: {
    domain: Domain,
    path: defaulted(UrlPath, "/"),
    method: defaulted(Method, "*"),
    serviceId: Reference,
    proxyType: optional(ProxyType),
    ssl: optional(Ssl),
    rateLimit: optional(RateLimit),
    authRequired: defaulted(Schema.Boolean, false),
    notes: optional(Text),
  },
  label: (route) =>
    `${route.method === "*" ? "" : `${route.method} `}${route.domain}${route.path === "/" ? "" : route.path}`,
})

export type Route = Schema.Schema.Type<typeof entity.input>
export type RouteInput = Schema.Schema.Encoded<typeof entity.input>
export type RouteEvent = Entity.EntityEvent<"Route", Route>
