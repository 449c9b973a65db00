/** From proxies' sites to routes, and from what needs what to dependencies. Pure. */
import {
  type Candidates,
  type DependencyCandidate,
  type Destination,
  type Evidence,
  type RouteCandidate,
  type ServiceCandidate,
  together,
} from "./candidates.js"
import type { Seen } from "./seen.js"
import { isHere, servicesOf } from "./services.js"
import type { Site, SiteRoute, Upstream } from "./types.js"

/** All that a scan thinks there is. */
export const candidatesOf = (seen: Seen): Candidates => {
  const services = withProxies(servicesOf(seen), seen)
  return { services, routes: routesOf(seen, services), dependencies: dependenciesOf(seen, services) }
}

type Proxy = "nginx" | "caddy"

/** A proxy that has sites is a service, even where nobody tells which process it is. */
const withProxies = (services: ReadonlyArray<ServiceCandidate>, { sites }: Seen): ReadonlyArray<ServiceCandidate> => {
  const absent = (["nginx", "caddy"] as const).filter(
    (proxy) =>
      sites.some((site) => site.proxy === proxy && site.names.length > 0) && proxyName(services, proxy) === undefined,
  )
  const added = absent.map((name): ServiceCandidate => {
    const own = sites.filter((site) => site.proxy === name)
    const evidence = [
      { source: name, detail: `${own.length} ${own.length === 1 ? "site" : "sites"} in its configuration` },
    ]
    return {
      name,
      type: "proxy",
      runtime: undefined,
      port: undefined,
      ports: [],
      projectPath: undefined,
      keeper: {},
      confidence: 0.3,
      evidence,
    }
  })
  return [...services, ...added]
}

const proxyName = (services: ReadonlyArray<ServiceCandidate>, proxy: Proxy): string | undefined =>
  services.find(
    (one) => one.keeper.unit === `${proxy}.service` || (one.keeper.container === undefined && one.name === proxy),
  )?.name

const routesOf = (seen: Seen, services: ReadonlyArray<ServiceCandidate>): ReadonlyArray<RouteCandidate> => {
  const byPort = new Map(services.flatMap((one) => one.ports.map((port) => [port, one.name] as const)))
  const found = new Map<string, RouteCandidate>()
  for (const site of seen.sites) {
    const proxy = proxyName(services, site.proxy)
    if (proxy === undefined) continue
    for (const domain of site.names)
      for (const route of site.routes) {
        const candidate = routeOf(site, domain, route, proxy, destination(route.upstreams[0], byPort, services))
        const key = `${domain} ${route.path}`
        // A site on 80 and on 443 is one route: the better known one.
        if ((found.get(key)?.confidence ?? -1) < candidate.confidence) found.set(key, candidate)
      }
  }
  return [...found.values()].slice(0, 5_000)
}

const routeOf = (
  site: Site & { readonly proxy: Proxy },
  domain: string,
  route: SiteRoute,
  proxy: string,
  to: Destination | undefined,
): RouteCandidate => {
  const first = route.upstreams[0]
  const where =
    first === undefined
      ? "serves files"
      : first._tag === "Socket"
        ? `sends to ${first.path}`
        : `sends to ${first.host}:${first.port}`
  const evidence: Evidence = {
    source: site.proxy,
    detail: `${site.proxy} ${where} for ${domain}${route.path === "/" ? "" : route.path}`,
  }
  const known = first === undefined || to !== undefined
  return {
    domain,
    path: route.path,
    proxyType: site.proxy,
    ssl: site.ssl ?? null,
    to: to ?? { _tag: "Here", service: proxy },
    proxy,
    confidence: together([0.6, known ? 0.6 : 0, site.tls ? 0.1 : 0]),
    evidence: [evidence],
  }
}

/** The service that an upstream is; `undefined` for none, and where nothing is known to listen. */
const destination = (
  to: Upstream | undefined,
  byPort: ReadonlyMap<number, string>,
  services: ReadonlyArray<ServiceCandidate>,
): Destination | undefined => {
  if (to === undefined) return undefined
  if (to._tag === "Socket") {
    const words = to.path.split("/").map((part) => part.replace(/\.sock(?:et)?$/, ""))
    const service = services.find((one) => words.includes(one.name))?.name
    return service === undefined ? undefined : { _tag: "Here", service }
  }
  if (!isHere(to.host)) return { _tag: "Elsewhere", host: to.host, port: to.port }
  const service = byPort.get(to.port)
  return service === undefined ? undefined : { _tag: "Here", service }
}

const dependenciesOf = (seen: Seen, services: ReadonlyArray<ServiceCandidate>): ReadonlyArray<DependencyCandidate> => {
  const found = new Map<string, DependencyCandidate>()
  for (const one of [...composed(seen, services), ...required(seen, services), ...sentElsewhere(seen, services)]) {
    const key = `${one.service} ${JSON.stringify(one.on)}`
    if (!found.has(key)) found.set(key, one)
  }
  return [...found.values()].slice(0, 5_000)
}

/** What compose files say of containers of one project. */
const composed = (
  { containers }: Seen,
  services: ReadonlyArray<ServiceCandidate>,
): ReadonlyArray<DependencyCandidate> => {
  const byContainer = new Map(services.map((one) => [one.keeper.container, one]))
  const byService = new Map(containers.map((one) => [`${one.project} ${one.service}`, byContainer.get(one.name)]))
  return containers.flatMap((one) =>
    one.needs.flatMap((need) => {
      const [from, on] = [byContainer.get(one.name), byService.get(`${one.project} ${need}`)]
      if (from === undefined || on === undefined || from === on) return []
      return [
        edge(from, on, true, 0.8, {
          source: one.tool,
          detail: `compose project ${one.project}: ${one.service} depends on ${need}`,
        }),
      ]
    }),
  )
}

/** What units say of each other. */
const required = ({ units }: Seen, services: ReadonlyArray<ServiceCandidate>): ReadonlyArray<DependencyCandidate> => {
  const byUnit = new Map(
    services.flatMap((one) => (one.keeper.unit === undefined ? [] : [[one.keeper.unit, one] as const])),
  )
  return units.flatMap((unit) => {
    const from = byUnit.get(unit.name)
    const edges = (names: ReadonlyArray<string>, needed: boolean) =>
      names.flatMap((name) => {
        const on = byUnit.get(name)
        if (from === undefined || on === undefined || from === on) return []
        const detail = `unit ${unit.name} ${needed ? "requires" : "wants"} ${name}`
        return [edge(from, on, needed, needed ? 0.7 : 0.4, { source: "systemd", detail })]
      })
    return [...edges(unit.requires, true), ...edges(unit.wants, false)]
  })
}

/** What a proxy sends to other machines. */
const sentElsewhere = (
  { sites }: Seen,
  services: ReadonlyArray<ServiceCandidate>,
): ReadonlyArray<DependencyCandidate> =>
  sites.flatMap((site) => {
    const service = proxyName(services, site.proxy)
    return site.routes.flatMap((route) =>
      route.upstreams.flatMap((to): ReadonlyArray<DependencyCandidate> => {
        if (service === undefined || to._tag !== "Address" || isHere(to.host)) return []
        const detail = `${site.proxy} sends ${site.names[0] ?? "a site"}${route.path} to ${to.host}:${to.port}`
        const on: Destination = { _tag: "Elsewhere", host: to.host, port: to.port }
        return [
          { service, on, type: "api", required: false, confidence: 0.6, evidence: [{ source: site.proxy, detail }] },
        ]
      }),
    )
  })

const edge = (
  from: ServiceCandidate,
  on: ServiceCandidate,
  isRequired: boolean,
  confidence: number,
  evidence: Evidence,
): DependencyCandidate => ({
  service: from.name,
  on: { _tag: "Here", service: on.name },
  type:
    on.type === "database" || on.type === "cache" || on.type === "queue"
      ? on.type
      : on.type === "app"
        ? "api"
        : undefined,
  required: isRequired,
  confidence,
  evidence: [evidence],
})
