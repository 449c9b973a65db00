/** What a scan thinks there is: services, routes and dependencies, each with its evidence. */
import type { DependencyType } from "../../domain/Dependency.js"
import type { Route } from "../../domain/Route.js"
import type { ServiceType } from "../../domain/Service.js"
import type { Source } from "./types.js"

/** Why a scan believes something, in one line that people can check on the host. */
export interface Evidence {
  readonly source: Source
  readonly detail: string
}

/** What keeps a service: its unit, its container or its name at pm2. In a service's `config` these are the same keys. */
export interface Keeper {
  readonly unit?: string
  readonly container?: string
  readonly pm2?: string
}

/** A service. Fields that the host does not tell are left out. */
export interface ServiceCandidate {
  readonly name: string
  readonly type: ServiceType | undefined
  /** What keeps it (`docker`, `podman`, `pm2`, `systemd`), or `cron`. */
  readonly runtime: string | undefined
  /** The port that it is asked at first, and all that it listens on. */
  readonly port: number | undefined
  readonly ports: ReadonlyArray<number>
  readonly projectPath: string | undefined
  readonly keeper: Keeper
  /** From 0 to 1. */
  readonly confidence: number
  readonly evidence: ReadonlyArray<Evidence>
}

/** Where a route leads: to one of the candidates, or to an address that may be another server's. */
export type Destination =
  | { readonly _tag: "Here"; readonly service: string }
  | { readonly _tag: "Elsewhere"; readonly host: string; readonly port: number }

export interface RouteCandidate {
  readonly domain: string
  readonly path: string
  readonly proxyType: Route["proxyType"]
  readonly ssl: Route["ssl"]
  readonly to: Destination
  /** The proxy, which the route leads to where nothing else is known to answer. */
  readonly proxy: string
  readonly confidence: number
  readonly evidence: ReadonlyArray<Evidence>
}

export interface DependencyCandidate {
  readonly service: string
  readonly on: Destination
  readonly type: typeof DependencyType.Type | undefined
  readonly required: boolean
  readonly confidence: number
  readonly evidence: ReadonlyArray<Evidence>
}

export interface Candidates {
  readonly services: ReadonlyArray<ServiceCandidate>
  readonly routes: ReadonlyArray<RouteCandidate>
  readonly dependencies: ReadonlyArray<DependencyCandidate>
}

/** Pieces of evidence that do not depend on each other: each leaves less room for doubt. */
export const together = (weights: ReadonlyArray<number>): number =>
  Math.round((1 - weights.reduce((doubt, weight) => doubt * (1 - weight), 1)) * 100) / 100
