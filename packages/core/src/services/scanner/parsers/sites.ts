/** What the sites of all proxies have in common: names, paths, upstreams and certificates. Pure; never throws. */
import type { Site, Upstream } from "../types.js"
import { path, port, token } from "../words.js"

/** A domain that a route can have; `undefined` for a catch-all, a regular expression, an address or a bare word. */
export const domainOf = (text: string | undefined): string | undefined => {
  const name = token(text?.replace(/\.$/, "").replace(/^\*?\./, ""), 253)?.toLowerCase()
  const wild = text?.startsWith("*.") || text?.startsWith(".") ? "*." : ""
  const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
  if (name === undefined || !new RegExp(`^(?:${label}\\.)+${label}$`).test(name)) return undefined
  return /^[\d.]+$/.test(name) || `${wild}${name}`.length > 253 ? undefined : `${wild}${name}`
}

/** The path of a route: `/api/*` and `/api/` are both `/api`. */
export const routePath = (text: string | undefined): string | undefined => {
  const found = path(text?.replace(/\*+$/, ""))
  if (found === undefined || /[\s*?{}$^|()]/.test(found)) return undefined
  return found.replace(/\/+$/, "") || "/"
}

/** `http://127.0.0.1:3000/x`, `localhost:3000`, `:3000`, `3000`, `[::1]:80`, `unix:/run/app.sock`, `unix//run/app.sock`. */
export const upstreamOf = (text: string, defaultPort: number): Upstream | undefined => {
  const socket = /(?:^|\/\/)unix(?::|\/(?=\/))(\/[^:\s]+)/.exec(text.slice(0, 500))?.[1]
  if (socket !== undefined) {
    const file = path(socket)
    return file === undefined ? undefined : { _tag: "Socket", path: file }
  }
  const found = /^(?:([a-z0-9+]+):\/\/)?(\[[0-9a-f:.]+\]|[\w.-]*)(?::(\d+))?(?:\/.*)?$/i.exec(text.slice(0, 500))
  if (found === null) return undefined
  const [, scheme, name = "", number] = found
  const bare = scheme === undefined && number === undefined && /^\d+$/.test(name)
  const host = bare || name === "" ? "127.0.0.1" : token(name.replace(/^\[|\]$/g, ""), 253)
  const at = bare ? port(name) : number === undefined ? (scheme === "https" ? 443 : defaultPort) : port(number)
  return host === undefined || at === undefined ? undefined : { _tag: "Address", host: host.toLowerCase(), port: at }
}

/** Who made a certificate, going by where it is kept. */
export const certificateOf = (file: string | undefined): Site["ssl"] => {
  if (file === undefined) return undefined
  if (/letsencrypt|acme|certbot|lego/i.test(file)) return "letsencrypt"
  if (/cloudflare|origin[-_.]?(?:ca|cert|pull)/i.test(file)) return "cloudflare"
  return /self[-_.]?sign|snakeoil/i.test(file) ? "self-signed" : undefined
}
