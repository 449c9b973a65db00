/** Sites of Caddy, from the JSON of `caddy adapt`; a Caddyfile as text goes to `caddyfile.ts`. Pure; never throws. */
import type { Site, SiteRoute, Upstream } from "../types.js"
import { port } from "../words.js"
import { parseCaddyfile } from "./caddyfile.js"
import { asArray, asObject, isObject, type JsonObject, parseJson } from "./json.js"
import { domainOf, routePath, upstreamOf } from "./sites.js"

const mostSites = 2_000

export const parseCaddy = (text: string): ReadonlyArray<Site> => {
  // `caddy adapt` warns on lines before the JSON, and some versions print a line after it.
  const start = text.search(/^\{"/m)
  const config =
    start < 0 ? undefined : (parseJson(text.slice(start).split("\n")[0] as string) ?? parseJson(text.slice(start)))
  return isObject(config) ? fromJson(config) : parseCaddyfile(text)
}

const fromJson = (config: JsonObject): ReadonlyArray<Site> => {
  const apps = asObject(config.apps)
  const own = internalNames(apps)
  return Object.values(asObject(asObject(apps.http).servers))
    .flatMap((server) => serverSites(asObject(server), own))
    .slice(0, mostSites)
}

const serverSites = (server: JsonObject, own: ReadonlySet<string>): ReadonlyArray<Site> => {
  const ports = asArray(server.listen).flatMap((one) =>
    typeof one === "string" ? (port(one.replace(/^.*:/, "")) ?? []) : [],
  )
  // It takes care of certificates by itself for every name that is not exempt, on every port but 80.
  const automatic = asObject(server.automatic_https)
  const exempt = asArray(automatic.skip)
  const secured = (names: ReadonlyArray<string>) =>
    automatic.disable !== true && ports.some((one) => one !== 80) && !names.every((name) => exempt.includes(name))
  return asArray(server.routes)
    .slice(0, mostSites)
    .map((one) => {
      const route = asObject(one)
      const names = hostsOf(route)
      const routes = routesOf(route, "/", 0)
      const tls = secured(names)
      return {
        names,
        ports,
        tls,
        ssl: !tls
          ? undefined
          : names.some((name) => own.has(name))
            ? ("self-signed" as const)
            : ("letsencrypt" as const),
        routes: dedupe(routes),
      }
    })
    .filter((site) => site.routes.length > 0)
}

/** The names whose certificates Caddy signs itself. */
const internalNames = (apps: JsonObject): ReadonlySet<string> => {
  const policies = asArray(asObject(asObject(apps.tls).automation).policies).map(asObject)
  return new Set(
    policies
      .filter((policy) => asArray(policy.issuers).some((issuer) => asObject(issuer).module === "internal"))
      .flatMap((policy) =>
        asArray(policy.subjects).flatMap((name) => (typeof name === "string" ? (domainOf(name) ?? []) : [])),
      ),
  )
}

const hostsOf = (route: JsonObject): ReadonlyArray<string> =>
  asArray(route.match)
    .flatMap((match) => asArray(asObject(match).host))
    .flatMap((name) => (typeof name === "string" ? (domainOf(name) ?? []) : []))
    .slice(0, 500)

const routesOf = (route: JsonObject, within: string, depth: number): ReadonlyArray<SiteRoute> => {
  if (depth > 8) return []
  const matched = asArray(route.match).flatMap((match) => asArray(asObject(match).path))
  const paths = matched.flatMap((one) => (typeof one === "string" ? (routePath(one) ?? []) : []))
  const at = paths[0] ?? within
  return asArray(route.handle).flatMap((one) => {
    const handler = asObject(one)
    if (handler.handler === "subroute") {
      return asArray(handler.routes).flatMap((inner) => routesOf(asObject(inner), at, depth + 1))
    }
    if (handler.handler === "reverse_proxy") {
      const upstreams = dialled(handler)
      return (paths.length > 0 ? paths : [within]).map((path) => ({ path, upstreams }))
    }
    return handler.handler === "file_server" ? [{ path: at, upstreams: [] }] : []
  })
}

const dialled = (handler: JsonObject): ReadonlyArray<Upstream> =>
  asArray(handler.upstreams).flatMap((one) => {
    const { dial } = asObject(one)
    return typeof dial === "string" ? (upstreamOf(dial, 80) ?? []) : []
  })

/** The first that answers at a path does, and a proxy says more than files. */
const dedupe = (routes: ReadonlyArray<SiteRoute>): ReadonlyArray<SiteRoute> => {
  const found = new Map<string, SiteRoute>()
  for (const route of routes.slice(0, 500)) {
    const there = found.get(route.path)
    if (there === undefined || (there.upstreams.length === 0 && route.upstreams.length > 0))
      found.set(route.path, route)
  }
  return [...found.values()]
}
