/** The server: the contract, its handlers and the services behind them over one log, on one port. */
import { createServer } from "node:http"
import { InvalidInput, type StorageError } from "@context-engine/core/Errors"
import * as Remote from "@context-engine/core/Remote/Any"
import { Alerts } from "@context-engine/core/services/Alerts"
import { Deployer } from "@context-engine/core/services/Deployer"
import { Fleet } from "@context-engine/core/services/Fleet"
import { Health } from "@context-engine/core/services/Health"
import { Hosts } from "@context-engine/core/services/Hosts"
import { Lifecycle } from "@context-engine/core/services/Lifecycle"
import { Logs } from "@context-engine/core/services/Logs"
import { Overview } from "@context-engine/core/services/Overview"
import { Registry } from "@context-engine/core/services/Registry"
import { RunCommand } from "@context-engine/core/services/RunCommand"
import { Scanner } from "@context-engine/core/services/Scanner"
import type * as Database from "@context-engine/store/Database"
import { identityOf } from "@context-engine/store/identity"
import * as Store from "@context-engine/store/layer"
import * as SqlMachines from "@context-engine/store/SqlMachines"
import * as SqlSync from "@context-engine/store/sync/SqlSync"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApiSwagger from "@effect/platform/HttpApiSwagger"
import * as HttpServer from "@effect/platform/HttpServer"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Api } from "./api/Api.js"
import * as Authorize from "./authorize.js"
import * as Guard from "./guard.js"
import { Deployments } from "./handlers/deploying.js"
import * as FleetHandlers from "./handlers/fleet.js"
import { Stopping } from "./handlers/logs.js"
import * as MachinesHandlers from "./handlers/machines.js"
import * as Operations from "./handlers/operations.js"
import * as RegistryHandlers from "./handlers/registry.js"
import * as Watching from "./handlers/watching.js"

export interface ServeOptions {
  /** The file that holds the log. */
  readonly db: string
  /** 0 takes any that is free. */
  readonly port: number
  /** The address to listen on. Default 127.0.0.1: nothing but this machine can reach it. */
  readonly host?: string
  /** What every caller must bring as `Authorization: Bearer <token>`. Visible ASCII without spaces. */
  readonly token: string
  /** Milliseconds that requests and deployments on their way have to end once the server is told to stop. Default 5,000. */
  readonly grace?: number
  /** The file with this machine's key, or the key itself as one line, which signs what is appended. Without one, nothing is signed. */
  readonly keyPath?: string
  /** Where this machine keeps what it has seen of its logs, outside their files. */
  readonly memory?: Database.Options["memory"]
  /** Whether a person named the log, which then may be a copy that is only looked at. */
  readonly isNamed?: boolean
  /** Told once the first event of a log that had none is in it. */
  readonly onBegin?: (() => void) | undefined
  /** The shared log, whose address `/v1/sync` shows. The server itself never synchronises: a process beside it does. */
  readonly remote?: SqlSync.Options["remote"]
  /** Called once the server listens, with its URL. */
  readonly onListen?: (url: string) => Effect.Effect<void>
}

/** The server cannot listen there. `message` says why and what to do. */
export class ListenError extends Data.TaggedError("ListenError")<{
  readonly host: string
  readonly port: number
  readonly message: string
}> {}

export type ServeError = ListenError | InvalidInput | StorageError

/**
 * Serves until it is interrupted. Deployments on their way then have `grace` to end; after that they go on at their hosts, and
 * the next command settles them.
 */
export const serve = (options: ServeOptions): Effect.Effect<never, ServeError> =>
  Layer.launch(
    Layer.effectDiscard(
      Effect.flatMap(HttpServer.HttpServer, ({ address }) => options.onListen?.(urlOf(address)) ?? Effect.void),
    ).pipe(Layer.provide(layer(options))),
  )

/** The server as a layer, for programs that have other things to do. */
export const layer = (options: ServeOptions): Layer.Layer<HttpServer.HttpServer, ServeError> => {
  const { grace = 5_000, host = "127.0.0.1", port, token } = options
  return app(token, { loopback: Guard.isLoopback(bracketed(host)), here: identityOf(options.keyPath) }).pipe(
    Layer.provide(Layer.merge(Deployments.layer(grace), Stopping.layer)),
    Layer.provideMerge(listening(host, port, grace)),
    Layer.provide(services(options)),
    Layer.provide(Layer.effectDiscard(check(options))),
  )
}

const app = (token: string, guard: Parameters<typeof Guard.layer>[0]) =>
  HttpApiBuilder.serve().pipe(
    Layer.provide(HttpApiSwagger.layer({ path: "/docs" })),
    Layer.provide(HttpApiBuilder.middlewareOpenApi({ path: "/openapi.json" })),
    Layer.provide(Guard.layer(guard)),
    Layer.provide(HttpApiBuilder.api(Api)),
    Layer.provide(
      Layer.mergeAll(
        Operations.layer,
        FleetHandlers.layer,
        RegistryHandlers.layer,
        Watching.layer,
        MachinesHandlers.layer,
      ),
    ),
    Layer.provide(Authorize.layer(token)),
  )

/** Everything the handlers call. */
const services = ({ db, isNamed, keyPath, memory, onBegin, remote }: ServeOptions) =>
  Layer.mergeAll(
    Registry.layer,
    Overview.layer,
    Fleet.layer,
    Deployer.layer,
    Logs.layer,
    Lifecycle.layer,
    RunCommand.layer,
    Scanner.layer,
    Alerts.layer,
  ).pipe(
    Layer.provideMerge(SqlMachines.layer(keyPath === undefined ? {} : { keyPath })),
    Layer.provideMerge(SqlSync.layer({ ...(keyPath && { keyPath }), ...(remote && { remote }) })),
    Layer.provideMerge(Health.layer),
    Layer.provideMerge(Hosts.layer),
    Layer.provide(Remote.layer),
    Layer.provideMerge(Store.layer(db, { ...(keyPath !== undefined && { keyPath }), memory, isNamed, onBegin })),
  )

const listening = (host: string, port: number, grace: number) => {
  const server = createServer()
  const hangUp = Effect.sync(() => setTimeout(() => server.closeAllConnections(), grace).unref())
  // Released before the server is, which waits for its connections to end.
  return Layer.scopedDiscard(Effect.addFinalizer(() => hangUp)).pipe(
    Layer.provideMerge(NodeHttpServer.layer(() => server, { host, port })),
    Layer.mapError(({ cause }) => new ListenError({ host, port, message: cannotListen(host, port, cause) })),
  )
}

const check = ({ port, token }: ServeOptions): Effect.Effect<void, InvalidInput> => {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    return new InvalidInput({ field: "port", reason: "must be a port from 1 to 65535, or 0 for any that is free" })
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return new InvalidInput({ field: "token", reason: "must be one word of visible ASCII characters, and not empty" })
  }
  return Effect.void
}

const cannotListen = (host: string, port: number, cause: unknown): string => {
  const where = `port ${port} of ${host}`
  switch ((cause as { readonly code?: string }).code) {
    case "EADDRINUSE":
      return `${where} is in use: stop what listens there, or choose another with --port`
    case "EACCES":
      return `${where} is not allowed to you: choose one above 1023 with --port`
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${host} is not an address of this machine: choose another with --host`
    default:
      return `${where} cannot be listened on: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host)

const urlOf = (address: HttpServer.Address): string =>
  address._tag === "UnixAddress" ? address.path : `http://${bracketed(address.hostname)}:${address.port}`
