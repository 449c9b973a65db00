/** What a proxy's configuration means for a route, site by site. */
import { describe, expect, it } from "vitest"
import { judgeProxy, type Routed, unasked } from "../../../src/services/routes/proxy.js"
import type { ProxySites } from "../../../src/services/Scanner.js"
import type { Upstream } from "../../../src/services/scanner/types.js"

const server = (name: string) => ({ id: `id-${name}`, name, ipAddresses: [] }) as never

const routed = (
  about: { path?: string; domain?: string; proxyType?: string | null; at?: string; port?: number } = {},
) => {
  const { at = "alpha", domain = "api.example.com", path = "/", port = 3000, proxyType = "nginx" } = about
  return {
    route: { domain, path, proxyType },
    service: { name: "api", port },
    server: server("alpha"),
    at: server(at),
  } as unknown as Routed
}

const address = (host: string, port: number): Upstream => ({ _tag: "Address", host, port })

const sites = (
  routes: ReadonlyArray<readonly [path: string, to?: Upstream]>,
  names: ReadonlyArray<string> = ["api.example.com"],
): ProxySites["sites"] => [
  {
    proxy: "nginx",
    file: "/etc/nginx/api",
    names,
    ports: [80],
    tls: false,
    routes: routes.map(([path, to]) => ({ path, upstreams: to === undefined ? [] : [to] })),
  },
]

const judged = (
  found: ProxySites["sites"],
  about: Parameters<typeof routed>[0] = {},
  nginx: "ok" | "absent" | "failed" = "ok",
) => {
  const { finding } = judgeProxy({ status: { nginx, caddy: "absent" }, sites: found }, routed(about))
  return finding === undefined ? undefined : `${finding.verdict}: ${finding.detail}`
}

const here = address("127.0.0.1", 3000)

describe("the proxy of a route", () => {
  it("is well where it sends to the service's port, to a socket, or serves files", () => {
    expect(judged(sites([["/", here]]))).toBe("ok: nginx sends it to 127.0.0.1:3000 (/etc/nginx/api)")
    expect(judged(sites([["/", { _tag: "Socket", path: "/run/api.sock" }]]))).toMatch(
      /^ok: nginx sends it to \/run\/api/,
    )
    expect(judged(sites([["/"]]))).toBe("ok: nginx serves files (/etc/nginx/api)")
  })

  it("is a warning where the port is another one, or the service is registered on another server", () => {
    expect(judged(sites([["/", address("::1", 4000)]]))).toBe(
      "warning: nginx sends it to [::1]:4000 (/etc/nginx/api), while api is registered on port 3000",
    )
    expect(judged(sites([["/", here]]), { at: "edge" })).toMatch(/^warning: .*, on edge itself, while api .* on alpha$/)
    expect(judged(sites([["/", address("10.0.0.1", 3000)]]), { at: "edge" })).toMatch(/^ok: /)
  })

  it("is that of the longest path that leads to it, and of an exact name before a wildcard", () => {
    const two = sites([
      ["/", address("127.0.0.1", 1)],
      ["/v1", here],
    ])
    expect(judged(two, { path: "/v1/users" })).toMatch(/^ok/)
    expect(judged(two, { path: "/v10" })).toMatch(/^warning: nginx sends it to 127\.0\.0\.1:1 /)
    const wild = sites([["/", here]], ["*.example.com"])
    expect(judged(wild)).toMatch(/^ok/)
    expect(judged([...wild, ...sites([["/", address("127.0.0.1", 2)]])])).toMatch(/127\.0\.0\.1:2 /)
    expect(judged(sites([["/v1", here]]), { path: "/" })).toBe(
      "warning: nginx has its site (/etc/nginx/api), and nothing for /",
    )
  })

  it("is missed only where the registry says that there is one", () => {
    expect(judged([])).toBe("warning: no site of nginx on alpha answers for it")
    expect(judged([], {}, "absent")).toBe("warning: there is no nginx on alpha")
    expect(judged([], {}, "failed")).toBe("warning: nginx on alpha does not tell its configuration")
    for (const proxyType of [null, "cloudflare", "direct"]) expect(judged([], { proxyType })).toBeUndefined()
  })

  it("is no trouble of the route's where nobody can be asked", () => {
    expect(unasked(routed(), "alpha: it did not end within 15 s")).toEqual({
      proxy: null,
      finding: {
        about: "proxy",
        verdict: "warning",
        detail: "alpha could not be asked for its proxy: it did not end within 15 s",
      },
    })
  })
})
