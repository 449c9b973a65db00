/** What the answers about a route mean: verdicts in words that people can act on. Pure. */
import type { Certificate, DnsAnswer, NetworkError } from "../../Network.js"
import type { RouteRow } from "../../views/routes.js"
import type { ServerRow } from "../../views/servers.js"

export type Verdict = "ok" | "warning" | "trouble"

/** One thing that was looked at, and what it showed. */
export interface RouteFinding {
  readonly about: "dns" | "tls" | "http" | "proxy"
  readonly verdict: Verdict
  readonly detail: string
}

/** One request on the way to the answer. */
export interface Hop {
  readonly url: string
  readonly status: number
  readonly location: string | null
}

/** How the requests ended: with an answer, somewhere else, in a circle, or not at all. */
export interface Visit {
  readonly hops: ReadonlyArray<Hop>
  readonly end: "answered" | "elsewhere" | "loop" | "failed"
  readonly error: NetworkError | null
}

/** The worst of some verdicts. */
export const worst = (findings: ReadonlyArray<RouteFinding>): Verdict =>
  findings.some((one) => one.verdict === "trouble")
    ? "trouble"
    : findings.some((one) => one.verdict === "warning")
      ? "warning"
      : "ok"

/** Whether a name leads to the server that the registry says it does. */
export const judgeDns = (
  answer: DnsAnswer,
  route: RouteRow,
  server: ServerRow | undefined,
  servers: ReadonlyArray<ServerRow>,
): RouteFinding => {
  const addresses = [...answer.a, ...answer.aaaa].map(canonical)
  const own = new Set(server?.ipAddresses.map(canonical))
  const shown = `${addresses.join(", ")}${answer.cname === null ? "" : ` by way of ${answer.cname}`}`
  const about = "dns" as const
  const strange = addresses.filter((address) => !own.has(address))
  if (strange.length === 0) return { about, verdict: "ok", detail: `points at ${server?.name}: ${shown}` }
  if (route.proxyType === "cloudflare") return { about, verdict: "ok", detail: `points at Cloudflare: ${shown}` }
  const name = server?.name ?? "its server"
  if (own.size === 0) {
    return {
      about,
      verdict: "warning",
      detail: `points at ${shown}; ${name} has no address registered to compare it with`,
    }
  }
  if (strange.length < addresses.length) {
    return {
      about,
      verdict: "warning",
      detail: `points at ${name}, and at ${strange.join(", ")}, which is not its address`,
    }
  }
  const other = serverAt(addresses, servers)
  if (other !== undefined) {
    return { about, verdict: "warning", detail: `points at ${other.name} (${shown}), while its service is on ${name}` }
  }
  if ([...own].every(isPrivate)) {
    return {
      about,
      verdict: "warning",
      detail: `points at ${shown}; ${name} is registered with private addresses only`,
    }
  }
  return { about, verdict: "trouble", detail: `points at ${shown}, and ${name} is ${[...own].join(", ")}` }
}

/** The first server that has one of these addresses. */
export const serverAt = (
  addresses: ReadonlyArray<string>,
  servers: ReadonlyArray<ServerRow>,
): ServerRow | undefined => {
  const wanted = addresses.map(canonical)
  return servers.find((one) => one.ipAddresses.some((address) => wanted.includes(canonical(address))))
}

/** Addresses that differ in how they are written only become the same. */
const canonical = (address: string): string => {
  if (!address.includes(":")) return address
  try {
    return new URL(`http://[${address}]/`).hostname.replace(/^\[|\]$/g, "")
  } catch {
    return address.toLowerCase()
  }
}

const isPrivate = (address: string): boolean =>
  /^(?:10\.|127\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|::1$|f[cd]|fe80)/.test(
    address,
  )

const day = 86_400_000

/** Whole days from `now` (milliseconds) on; negative once it has expired. */
export const daysLeft = (certificate: Certificate, now: number): number =>
  Math.floor((Date.parse(certificate.validTo) - now) / day)

export const judgeCertificate = (
  certificate: Certificate,
  route: RouteRow,
  domain: string,
  now: number,
): ReadonlyArray<RouteFinding> => {
  const days = daysLeft(certificate, now)
  const finding = (verdict: Verdict, detail: string): RouteFinding => ({ about: "tls", verdict, detail })
  const until = certificate.validTo.slice(0, 10)
  const troubles = [
    certificate.matchesName
      ? undefined
      : finding(
          "trouble",
          `the certificate is not for ${domain}, but for ${certificate.names.slice(0, 5).join(", ") || "no name"}`,
        ),
    Date.parse(certificate.validTo) <= now ? finding("trouble", `the certificate expired on ${until}`) : undefined,
    Date.parse(certificate.validFrom) > now
      ? finding("trouble", `the certificate is valid only from ${certificate.validFrom.slice(0, 10)} on`)
      : undefined,
    certificate.distrust === null ? undefined : distrusted(certificate.distrust, route, finding),
  ].filter((one) => one !== undefined)
  if (troubles.some((one) => one.verdict === "trouble")) return troubles
  const left = `${days} ${days === 1 ? "day" : "days"} left, by ${certificate.issuer}`
  return [...troubles, finding(days < 7 ? "trouble" : days < 21 ? "warning" : "ok", `the certificate has ${left}`)]
}

/** A certificate that nobody vouches for is as it should be where the registry says so. */
const distrusted = (
  why: string,
  route: RouteRow,
  finding: (verdict: Verdict, detail: string) => RouteFinding,
): RouteFinding | undefined => {
  if (route.ssl === "self-signed") return undefined
  const detail = `the certificate's chain is not trusted: ${why.toLowerCase().replaceAll("_", " ")}`
  // Only Cloudflare itself has to trust what it is shown.
  return finding(route.ssl === "cloudflare" ? "warning" : "trouble", detail)
}

/** Nothing on the port for HTTPS is bad only where the registry promises it. */
export const judgeNoTls = (error: NetworkError, route: RouteRow): RouteFinding => ({
  about: "tls",
  verdict: route.ssl === null && error.reason === "refused" ? "warning" : "trouble",
  detail: route.ssl === null && error.reason === "refused" ? `without TLS: ${error.message}` : error.message,
})

export const judgeVisit = ({ end, error, hops }: Visit, route: RouteRow): RouteFinding => {
  const last = hops.at(-1)
  const way = hops.length > 1 ? ` after ${hops.length - 1} redirect${hops.length === 2 ? "" : "s"}` : ""
  const finding = (verdict: Verdict, detail: string): RouteFinding => ({ about: "http", verdict, detail })
  if (end === "failed" || last === undefined) return finding("trouble", `${error?.message ?? "no answer"}${way}`)
  if (end === "loop")
    return finding(
      "trouble",
      `redirects in a circle: ${hops
        .slice(0, 4)
        .map((hop) => hop.url)
        .join(" → ")} → …`,
    )
  if (end === "elsewhere") return finding("warning", `${last.status}: redirects elsewhere, to ${last.location}`)
  const answer = `answers ${last.status}${way}`
  if (last.status >= 502 && last.status <= 504)
    return finding("trouble", `${answer}: the proxy is there, its service is not`)
  if (last.status >= 500) return finding("trouble", answer)
  if (last.status === 401 || last.status === 403)
    return finding(route.authRequired ? "ok" : "warning", `${answer}: it wants to know who asks`)
  if (last.status === 405) return finding("ok", `${answer}: it is there, for other methods`)
  return finding(last.status >= 400 ? "warning" : "ok", answer)
}
