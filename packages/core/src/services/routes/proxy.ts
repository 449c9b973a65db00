/** What the reverse proxy on a server does with a route, going by its configuration. Pure. */
import type { RouteRow } from "../../views/routes.js"
import type { ServerRow } from "../../views/servers.js"
import type { ServiceRow } from "../../views/services.js"
import { withoutName } from "../../words.js"
import type { ProxySites } from "../Scanner.js"
import { isHere } from "../scanner/services.js"
import type { Upstream } from "../scanner/types.js"
import type { RouteFinding } from "./judge.js"

/** The site that answers for a route. */
export interface RouteProxy {
  /** The server it is on: the one that DNS points at, where that is registered. */
  readonly server: string
  readonly kind: "nginx" | "caddy"
  /** The file that it is configured in, where that is told. */
  readonly file: string | null
  /** `127.0.0.1:3000`, or the path of a socket; none where it serves files. */
  readonly upstreams: ReadonlyArray<string>
}

/** What is known of a route apart from its proxy. */
export interface Routed {
  readonly route: RouteRow
  readonly service: ServiceRow | undefined
  /** Where the service is registered. */
  readonly server: ServerRow | undefined
  /** Where the proxy was looked at. */
  readonly at: ServerRow
}

/** What was found; no finding where nothing says that a proxy should be there, and none is. */
export interface ProxyVerdict {
  readonly proxy: RouteProxy | null
  readonly finding: RouteFinding | undefined
}

/** Nobody could be asked: that says nothing about the route. */
export const unasked = ({ at }: Routed, message: string): ProxyVerdict => ({
  proxy: null,
  finding: finding("warning", `${at.name} could not be asked for its proxy: ${withoutName(message, at.name)}`),
})

export const judgeProxy = (found: ProxySites, routed: Routed): ProxyVerdict => {
  const { at, route } = routed
  const site = siteOf(found, route)
  if (site === undefined) return { proxy: null, finding: absent(found, routed) }
  const proxy: RouteProxy = {
    server: at.name,
    kind: site.proxy,
    file: site.file ?? null,
    upstreams: (site.route?.upstreams ?? []).map(addressOf),
  }
  return { proxy, finding: judge(site, proxy, routed) }
}

type Sites = ProxySites["sites"]

/** The site of the name, an exact one before a wildcard, and of its paths the longest that leads to the route's. */
const siteOf = ({ sites }: ProxySites, { domain, path }: RouteRow) => {
  const named = (name: string): Sites => sites.filter(({ names }) => names.includes(name))
  const exact = named(domain.toLowerCase())
  const all = exact.length > 0 ? exact : named(domain.toLowerCase().replace(/^[^.]+\./, "*."))
  const routes = all.flatMap((site) =>
    site.routes
      .filter((one) => one.path === "/" || path === one.path || path.startsWith(`${one.path}/`))
      .map((route) => ({ ...site, route })),
  )
  const [best] = routes.sort((a, b) => b.route.path.length - a.route.path.length)
  return best ?? (all[0] && { ...all[0], route: undefined })
}

const judge = (
  { route: answering }: NonNullable<ReturnType<typeof siteOf>>,
  { file, kind }: RouteProxy,
  { at, route, server, service }: Routed,
): RouteFinding => {
  const where = file === null ? "" : ` (${file})`
  if (answering === undefined) return finding("warning", `${kind} has its site${where}, and nothing for ${route.path}`)
  const [to] = answering.upstreams
  if (to === undefined) return finding("ok", `${kind} serves files${where}`)
  const sends = `${kind} sends it to ${addressOf(to)}${where}`
  const port = service?.port ?? null
  if (to._tag === "Socket" || service === undefined || port === null) return finding("ok", sends)
  if (to.port !== port) return finding("warning", `${sends}, while ${service.name} is registered on port ${port}`)
  if (isHere(to.host) && server !== undefined && server.id !== at.id) {
    return finding("warning", `${sends}, on ${at.name} itself, while ${service.name} is registered on ${server.name}`)
  }
  return finding("ok", sends)
}

/** Nothing is amiss where the registry does not say that one of these is in front. */
const absent = ({ status }: ProxySites, { at, route }: Routed): RouteFinding | undefined => {
  const kind = route.proxyType
  if (kind !== "nginx" && kind !== "caddy") return undefined
  if (status[kind] === "absent") return finding("warning", `there is no ${kind} on ${at.name}`)
  return finding(
    "warning",
    status[kind] === "ok"
      ? `no site of ${kind} on ${at.name} answers for it`
      : `${kind} on ${at.name} does not tell its configuration`,
  )
}

const addressOf = (to: Upstream): string =>
  to._tag === "Socket" ? to.path : `${to.host.includes(":") ? `[${to.host}]` : to.host}:${to.port}`

const finding = (verdict: RouteFinding["verdict"], detail: string): RouteFinding => ({
  about: "proxy",
  verdict,
  detail,
})
