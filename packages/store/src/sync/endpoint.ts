/** Where a shared log is, as a person writes it: what may be secret in it, and whether a token may go there. */
import { InvalidInput } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

/** Where the shared log is: `libsql:`, `https:` or `http:`. */
export interface Endpoint {
  readonly url: string
  readonly token?: Redacted.Redacted
}

/** The address without what may be secret in it. */
export const addressOf = (url: string): string => {
  try {
    const parsed = new URL(url)
    return `${parsed.protocol}//${parsed.host}${parsed.pathname === "/" ? "" : parsed.pathname}`
  } catch {
    return "(an address that cannot be read)"
  }
}

/**
 * The endpoint of a URL that a person typed. A token in it would be seen where addresses are shown. A token that would travel
 * unencrypted to another host is refused, unless it is `insecure` on purpose.
 */
export const endpointOf = (
  field: string,
  url: string,
  token: string | undefined,
  { insecure }: { readonly insecure: boolean },
): Effect.Effect<Endpoint, InvalidInput> => {
  const refuse = (reason: string) => new InvalidInput({ field, reason })
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    return refuse("is not a URL; it looks like libsql://name-org.turso.io, https://host or http://host:8080")
  }
  if (!["libsql:", "https:", "http:"].includes(parsed.protocol))
    return refuse("must begin with libsql:, https: or http:")
  if (parsed.username !== "" || parsed.password !== "" || parsed.searchParams.has("authToken")) {
    return refuse("must not hold a token: that goes into TURSO_AUTH_TOKEN, or to the standard input of sync connect")
  }
  // The client asks at the root of a host, whatever comes after that. One that is kept already goes on.
  if (field === "url" && (!["", "/"].includes(parsed.pathname) || parsed.hash !== ""))
    return refuse(
      `must end with the host: what comes after it is not used (${addressOf(`${parsed.protocol}//${parsed.host}`)})`,
    )
  if (!token) return Effect.succeed({ url })
  // What would not go into a header is told with all of it by whoever refuses it there.
  if (!/^[\x21-\x7e]+$/.test(token))
    return refuse("is given a token with a space or a line break in it: take the token whole")
  const endpoint = { url, token: Redacted.make(token) }
  if (!insecure && givesTokenAway(endpoint)) {
    return refuse(
      `would send the token unencrypted to ${parsed.host}, for anyone on the way to read: use https:. Where the network itself is private (a VPN), sync connect takes --insecure, and TURSO_URL wants CONTEXT_SYNC_INSECURE=1`,
    )
  }
  return Effect.succeed(endpoint)
}

/** Whether a token travels unencrypted, and further than to this machine. */
export const givesTokenAway = ({ token, url }: Endpoint): boolean => {
  if (token === undefined || !URL.canParse(url)) return false
  const { protocol, searchParams } = new URL(url)
  return (protocol === "http:" || searchParams.get("tls") === "0") && !isLoopback(url)
}

const isLoopback = (url: string): boolean => {
  // Of other schemes than its own, URL leaves the host as it is written.
  const { hostname } = new URL(url.replace(/^libsql:/, "http:"))
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/** A text without the endpoint's token, or anything that looks like one. */
export const withoutSecrets = (text: string, { token, url }: Endpoint): string => {
  const secrets = [token && Redacted.value(token), password(url)].filter((one): one is string => Boolean(one))
  const without = secrets.reduce((rest, secret) => rest.replaceAll(secret, "•••"), text)
  return without.replace(/eyJ[\w-]*\.[\w-]*\.[\w-]*/g, "•••").replace(/authToken=[^&\s"']*/g, "authToken=•••")
}

const password = (url: string): string | undefined => {
  try {
    const { password, searchParams } = new URL(url)
    return password || searchParams.get("authToken") || undefined
  } catch {
    return undefined
  }
}
