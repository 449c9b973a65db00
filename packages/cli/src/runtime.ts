/** How a leaf gets its services: each door loads what is behind it when it is opened, and nothing before. */
import type { Alerts } from "@context-engine/core/services/Alerts"
import type { Deployer } from "@context-engine/core/services/Deployer"
import type { Overview } from "@context-engine/core/services/Overview"
import type { Registry } from "@context-engine/core/services/Registry"
import type { RouteCheck } from "@context-engine/core/services/RouteCheck"
import type { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import type { Books } from "./runtime/audit.js"
import type { Discovery } from "./runtime/discovery.js"
import type { HostOptions, LogOptions } from "./runtime/log.js"
import type { Enrolment } from "./runtime/machines.js"
import type { Operations } from "./runtime/operations.js"
import type { RouteOptions } from "./runtime/routes.js"
import type { Running } from "./runtime/running.js"

/** What a door gives. Whatever goes wrong behind it is reported as it is. */
type Use<S, A> = (service: S) => Effect.Effect<A, unknown>

/** The registry: to read, as of a moment if one is given, and to write. */
export const withRegistry = <A>(options: LogOptions, use: Use<Registry["Type"], A>): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/registry.js"),
    (door) => door.open(options, use),
  )

/** The overview, with the read side only: the fastest door. */
export const withOverview = <A>(options: LogOptions, use: Use<Overview["Type"], A>): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/overview.js"),
    (door) => door.open(options, use),
  )

/** What is wrong now. */
export const withAlerts = <A>(options: LogOptions, use: Use<Alerts["Type"], A>): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/alerts.js"),
    (door) => door.open(options, use),
  )

/** All that reaches out to hosts. */
export const withOperations = <A>(options: HostOptions, use: Use<Operations, A>): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/operations.js"),
    (door) => door.open(options, use),
  )

/** Deploys, rollbacks and their history. */
export const withDeployer = <A>(
  options: HostOptions,
  use: (deployer: Deployer["Type"], registry: Registry["Type"]) => Effect.Effect<A, unknown>,
): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/deployer.js"),
    (door) => door.open(options, use),
  )

/** What is done by hand to what runs: logs, restarts, commands on servers. */
export const withRunning = <A>(options: HostOptions, use: Use<Running, A>): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/running.js"),
    (door) => door.open(options, use),
  )

/** Finding out what there is: on servers, and in ssh's configuration. */
export const withDiscovery = <A>(options: HostOptions, use: Use<Discovery, A>): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/discovery.js"),
    (door) => door.open(options, use),
  )

/** The routes, looked at from outside and from inside. */
export const withRoutes = <A>(options: RouteOptions, use: Use<RouteCheck["Type"], A>): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/routes.js"),
    (door): Effect.Effect<A, unknown> => door.open(options, use),
  )

/** The log itself: audits, differences, rebuilds and backups. */
export const withAudit = <A>(options: LogOptions, use: Use<Books, A>): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/audit.js"),
    (door) => door.open(options, use),
  )

/** This machine's log beside the one that all machines share: to look, and to write. */
export const withSync = <A>(options: LogOptions, use: Use<Sync["Type"], A>): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/sync.js"),
    (door) => door.open(options, use),
  )

/** The same for what brings both together: nothing is shared behind it. */
export const withExchange = <A>(options: LogOptions, use: Use<Sync["Type"], A>): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/exchange.js"),
    (door) => door.open(options, use),
  )

/** Who may write to the log. What is decided about it is shared at once. */
export const withMachines = <A>(options: LogOptions, use: Use<Enrolment, A>): Effect.Effect<A, unknown> =>
  load(
    () => import("./runtime/machines.js"),
    (door) => door.open(options, use),
  )

/** Imports a module and goes on with it. */
export const load = <M, A, E>(module: () => Promise<M>, use: (module: M) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatMap(Effect.promise(module), use)
