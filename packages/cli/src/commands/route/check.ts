/** `context infra route check [domain]` */
import { leaf } from "../../leaf.js"
import { connecting, flag, optionalArgument, text } from "../../options.js"
import { withRoutes } from "../../runtime.js"
import { progress } from "../../terminal.js"

export const check = leaf({
  name: "check",
  description:
    "Looks at every route, or at those of a domain, as a visitor would: DNS, certificate, and HTTP through to the service. " +
    "Asks the server that the domain points at what nginx or caddy there is configured to do with it. " +
    "Exit status 1 if there is trouble; warnings are none.",
  examples: ["route check", "route check api.example.com", "route check --no-proxy --resolver 9.9.9.9"],
  args: { domain: optionalArgument("domain", "The domain; all of them if none is named") },
  options: {
    ...connecting,
    noProxy: flag("no-proxy", "Do not ask the servers for their proxies' configuration: nothing goes over SSH"),
    resolver: text("resolver", "address", "The name server to ask, for example 9.9.9.9 (default: the system's)"),
  },
  run: (given) =>
    withRoutes(given, (routes) =>
      routes.check(given.domain, { proxies: !given.noProxy }).pipe(progress("looking at the routes")),
    ),
  render: async () => (await import("../../render/routeCheck.js")).routeCheck,
  unwell: (reports) => reports.some(({ verdict }) => verdict === "trouble"),
})
