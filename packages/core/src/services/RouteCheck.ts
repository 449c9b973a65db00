/**
 * The routes, looked at from outside (DNS, certificate, HTTP through to the service) and from inside: what the reverse proxy is
 * configured to do with them. One bad route never holds up the rest.
 */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { entity } from "../domain/Route.js"
import type { Ambiguous, NotFound, StorageError } from "../Errors.js"
import { type Certificate, type DnsAnswer, Network, NetworkError } from "../Network.js"
import { ReadModels } from "../ReadModels.js"
import type { RouteRow } from "../views/routes.js"
import type { ServerRow } from "../views/servers.js"
import type { ServiceRow } from "../views/services.js"
import { hasId, named } from "./names.js"
import {
  daysLeft,
  type Hop,
  judgeCertificate,
  judgeDns,
  judgeNoTls,
  judgeVisit,
  type RouteFinding,
  serverAt,
  type Verdict,
  type Visit,
  worst,
} from "./routes/judge.js"
import { judgeProxy, type ProxyVerdict, type RouteProxy, unasked } from "./routes/proxy.js"
import { type ProxySites, Scanner } from "./Scanner.js"

export type { Hop, RouteFinding, Verdict } from "./routes/judge.js"

/** What a look at a route found. */
export interface RouteReport {
  /** As people call it: `api.example.com/v1`. */
  readonly route: string
  readonly domain: string
  readonly path: string
  readonly service: string
  readonly server: string
  readonly verdict: Verdict
  readonly findings: ReadonlyArray<RouteFinding>
  readonly addresses: ReadonlyArray<string>
  readonly cname: string | null
  readonly certificate: (Certificate & { readonly daysLeft: number }) | null
  /** The requests, in order; the last one's status is the answer. */
  readonly hops: ReadonlyArray<Hop>
  readonly status: number | null
  /** Milliseconds of the last request. */
  readonly latency: number | null
  /** What the reverse proxy does with it; `null` where none has it, or none was asked. */
  readonly proxy: RouteProxy | null
  /** ISO 8601 UTC. */
  readonly checkedAt: string
}

/** Milliseconds for one question, and for all about a route. */
const patience = 5_000
const deadline = 20_000

/** Milliseconds for a server to tell of its proxy, connecting included. */
const proxyPatience = 15_000

const mostRedirects = 10

const concurrency = 16

export interface RouteCheckOptions {
  /** Whether the servers are asked for the configuration of their reverse proxies, over SSH where they are remote. Default false. */
  readonly proxies?: boolean | undefined
}

export class RouteCheck extends Context.Tag("@context-engine/core/RouteCheck")<
  RouteCheck,
  {
    /** Looks at the routes of a domain, or at all; one report a route, in the order of their names. Changes nothing. */
    readonly check: (
      domain?: string,
      options?: RouteCheckOptions,
    ) => Effect.Effect<ReadonlyArray<RouteReport>, NotFound | Ambiguous | StorageError>
  }
>() {
  static readonly layer = Layer.effect(
    RouteCheck,
    Effect.gen(function* () {
      const models = yield* ReadModels
      const network = yield* Network
      const scanner = yield* Scanner
      return RouteCheck.of({
        check: Effect.fn("RouteCheck.check")(function* (domain, { proxies = false } = {}) {
          const all = yield* models.routes.list()
          const routes = domain === undefined ? all : yield* routesOf(all, domain)
          const servers = yield* models.servers.list()
          const services = new Map((yield* models.services.list()).map((row) => [row.id, row]))
          // What is asked about a domain is asked once, however many routes it has.
          const facing = yield* Effect.cachedFunction((name: string) => face(network, name))
          const sites = yield* Effect.cachedFunction((name: string) =>
            Effect.either(scanner.sites(name, proxyPatience)),
          )
          const asked: Asked = { network, facing, sites: proxies ? sites : undefined }
          return yield* Effect.forEach(
            [...routes].sort((a, b) => (entity.label(a) < entity.label(b) ? -1 : 1)),
            (route) => {
              const service = services.get(route.serviceId)
              const server = servers.find((row) => row.id === service?.serverId)
              return look(asked, { route, service, server, servers })
            },
            { concurrency },
          )
        }),
      })
    }),
  )
}

/** All routes of a domain, or the one of an id. */
const routesOf = (all: ReadonlyArray<RouteRow>, text: string) => {
  const routes = all.filter((route) => route.domain.toLowerCase() === text.toLowerCase())
  return routes.length > 0 && !all.some((route) => hasId(route.id, text))
    ? Effect.succeed(routes)
    : Effect.map(
        named("route", text, all, (route) => route.domain),
        (route) => [route],
      )
}

/** What a name shows to the outside: its addresses, and the certificate at the first. */
interface Face {
  readonly dns: Either.Either<DnsAnswer, NetworkError>
  readonly certificate: Either.Either<Certificate, NetworkError> | undefined
}

const addressesOf = (dns: Face["dns"]): ReadonlyArray<string> =>
  Either.match(dns, { onLeft: () => [], onRight: ({ a, aaaa }) => [...a, ...aaaa] })

const face = (network: Network["Type"], name: string): Effect.Effect<Face> =>
  Effect.gen(function* () {
    const dns = yield* Effect.either(network.resolve(name, patience))
    const [address] = addressesOf(dns)
    if (address === undefined) return { dns, certificate: undefined }
    const certificate = yield* Effect.either(network.certificate({ address, name, timeout: patience }))
    return { dns, certificate }
  })

interface Placed {
  readonly route: RouteRow
  readonly service: ServiceRow | undefined
  readonly server: ServerRow | undefined
  readonly servers: ReadonlyArray<ServerRow>
}

/** A name that a wildcard answers for. */
const nameOf = (domain: string): string => domain.replace(/^\*\./, "context-route-check.")

/** Whom to ask. */
interface Asked {
  readonly network: Network["Type"]
  readonly facing: (name: string) => Effect.Effect<Face>
  readonly sites:
    | ((server: string) => Effect.Effect<Either.Either<ProxySites, { readonly message: string }>>)
    | undefined
}

const look = (asked: Asked, placed: Placed): Effect.Effect<RouteReport> =>
  Effect.gen(function* () {
    const { facing, network } = asked
    const { route, server, servers, service } = placed
    const name = nameOf(route.domain)
    const { certificate, dns } = yield* facing(name)
    const now = yield* DateTime.now
    const [address] = addressesOf(dns)
    const secure = certificate !== undefined && Either.isRight(certificate)
    const visiting =
      address === undefined ? Effect.succeed(undefined) : visited(network, { address, name, path: route.path, secure })
    const [visit, { finding, proxy }] = yield* Effect.all([visiting, inside(asked, placed, addressesOf(dns))], {
      concurrency: 2,
    })
    const shown = secure ? certificate.right : undefined
    const findings = [
      Either.match(dns, {
        onLeft: ({ message }): RouteFinding => ({ about: "dns", verdict: "trouble", detail: message }),
        onRight: (answer) => judgeDns(answer, route, server, servers),
      }),
      ...(shown === undefined ? [] : judgeCertificate(shown, route, name, now.epochMillis)),
      ...(certificate !== undefined && Either.isLeft(certificate) ? [judgeNoTls(certificate.left, route)] : []),
      ...(visit === undefined ? [] : [judgeVisit(visit, route)]),
      ...(finding === undefined ? [] : [finding]),
    ]
    return {
      route: entity.label(route),
      domain: route.domain,
      path: route.path,
      service: service?.name ?? "?",
      server: server?.name ?? "?",
      verdict: worst(findings),
      findings,
      addresses: addressesOf(dns),
      cname: Either.match(dns, { onLeft: () => null, onRight: ({ cname }) => cname }),
      certificate: shown === undefined ? null : { ...shown, daysLeft: daysLeft(shown, now.epochMillis) },
      hops: visit?.hops ?? [],
      status: visit?.hops.at(-1)?.status ?? null,
      latency: visit?.latency ?? null,
      proxy,
      checkedAt: DateTime.formatIso(now),
    }
  })

const nowhere: ProxyVerdict = { proxy: null, finding: undefined }

/** What the proxy does that visitors come to: on the server that the name points at, where that is one of ours. */
const inside = (
  { sites }: Asked,
  { route, server, servers, service }: Placed,
  addresses: ReadonlyArray<string>,
): Effect.Effect<ProxyVerdict> => {
  const own = server === undefined ? [] : [server]
  const at = serverAt(addresses, own) ?? serverAt(addresses, servers) ?? server
  if (sites === undefined || at === undefined) return Effect.succeed(nowhere)
  const routed = { route, service, server, at }
  return Effect.map(
    sites(at.name),
    Either.match({
      onLeft: ({ message }) => unasked(routed, message),
      onRight: (found) => judgeProxy(found, routed),
    }),
  )
}

interface Start {
  readonly address: string
  readonly name: string
  readonly path: string
  readonly secure: boolean
}

/** Follows redirects as long as they stay with the name: where they lead beyond it is somebody else's. */
const visited = (network: Network["Type"], start: Start): Effect.Effect<Visit & { readonly latency: number | null }> =>
  Effect.gen(function* () {
    const hops: Array<Hop> = []
    const seen = new Set<string>()
    let at: Start = start
    const began = (yield* DateTime.now).epochMillis
    for (;;) {
      const url = `${at.secure ? "https" : "http"}://${at.name}${at.path}`
      if (seen.has(url) || hops.length > mostRedirects) return { hops, end: "loop", error: null, latency: null }
      seen.add(url)
      const left = deadline - ((yield* DateTime.now).epochMillis - began)
      const answer: Either.Either<{ status: number; location: string | null; latency: number }, NetworkError> =
        left <= 0
          ? Either.left(late(at))
          : yield* Effect.either(network.get({ ...at, timeout: Math.min(patience, left) }))
      if (Either.isLeft(answer)) return { hops, end: "failed", error: answer.left, latency: null }
      const { latency, location, status } = answer.right
      hops.push({ url, status, location })
      if (status < 300 || status >= 400 || location === null) return { hops, end: "answered", error: null, latency }
      const next = following(url, location)
      if (next === undefined || next.name !== start.name) return { hops, end: "elsewhere", error: null, latency }
      at = { ...next, address: start.address }
    }
  })

const late = ({ name }: Start) =>
  new NetworkError({ reason: "timeout", message: `${name} kept redirecting for ${deadline / 1000} s` })

/** Where a redirect leads; `undefined` for what is no address on the web, or on a port of its own. */
const following = (from: string, location: string): Omit<Start, "address"> | undefined => {
  try {
    const url = new URL(location, from)
    if (!/^https?:$/.test(url.protocol) || url.port !== "") return undefined
    return { name: url.hostname, path: `${url.pathname}${url.search}`, secure: url.protocol === "https:" }
  } catch {
    return undefined
  }
}
