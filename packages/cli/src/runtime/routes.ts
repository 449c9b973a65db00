/** Behind `withRoutes`: the routes as visitors find them, and as the servers' proxies are configured. */
import { isIP } from "node:net"
import * as Node from "@context-engine/core/Network/Node"
import { HostKeyPrompt } from "@context-engine/core/Remote"
import { RouteCheck } from "@context-engine/core/services/RouteCheck"
import { Scanner } from "@context-engine/core/services/Scanner"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { UsageError } from "../usage.js"
import { hostKeyPrompt } from "./hostKeys.js"
import { type HostOptions, logIsThere } from "./log.js"
import { services } from "./operations.js"
import { run } from "./run.js"

export interface RouteOptions extends HostOptions {
  /** The name server to ask, `address[:port]`, instead of the system's. */
  readonly resolver: string | undefined
}

export const open = <A>(options: RouteOptions, use: (routes: RouteCheck["Type"]) => Effect.Effect<A, unknown>) => {
  const { resolver } = options
  if (resolver !== undefined && !isResolver(resolver)) return notAnAddress(resolver)
  const network = Node.layerWith(resolver === undefined ? {} : { resolvers: [resolver] })
  return Effect.zipRight(
    logIsThere(options.db),
    run(
      options,
      RouteCheck.layer.pipe(Layer.provide([network, Scanner.layer]), Layer.provideMerge(services)),
      Effect.flatMap(RouteCheck, use).pipe(Effect.provideService(HostKeyPrompt, hostKeyPrompt(options.acceptHostKey))),
    ),
  )
}

const isResolver = (text: string): boolean => {
  const [, bracketed, plain, port = "53"] =
    /^(?:\[([^\]]+)\]|([^:]+|[0-9a-f:]+:[0-9a-f:]*))(?::(\d{1,5}))?$/i.exec(text) ?? []
  return isIP(bracketed ?? plain ?? "") !== 0 && Number(port) > 0 && Number(port) < 65_536
}

const notAnAddress = (text: string) =>
  new UsageError({
    message: `--resolver must be an address such as 9.9.9.9 or 127.0.0.1:5353, not ${JSON.stringify(text)}`,
    see: "context infra route check --help",
  })
