/** The differences that a scan finds, and what could be done about each. */
import type { Json } from "../../Event.js"
import type { DependencyRow } from "../../views/dependencies.js"
import type { RouteRow } from "../../views/routes.js"
import type { ServerRow } from "../../views/servers.js"
import type { ServiceRow } from "../../views/services.js"
import type { Evidence, Keeper } from "./candidates.js"

/** The registry as it is; `server` is the one that was scanned. */
export interface Known {
  readonly server: ServerRow
  readonly servers: ReadonlyArray<ServerRow>
  readonly services: ReadonlyArray<ServiceRow>
  readonly routes: ReadonlyArray<RouteRow>
  readonly dependencies: ReadonlyArray<DependencyRow>
}

/** A service that a proposal refers to: a row, or one that the same scan proposes. */
export type Ref = { readonly _tag: "Row"; readonly serviceId: string } | { readonly _tag: "New"; readonly name: string }

/** The fields of a service that a scan can tell. */
export interface ServiceFields {
  readonly type?: ServiceRow["type"]
  readonly runtime?: string | null
  readonly port?: number | null
  readonly projectPath?: string | null
  readonly config?: Readonly<Record<string, unknown>> | null
}

/** What `apply` would do about a finding. */
export type Proposal =
  | { readonly _tag: "AddService"; readonly name: string; readonly fields: ServiceFields }
  | { readonly _tag: "UpdateService"; readonly serviceId: string; readonly fields: ServiceFields }
  | { readonly _tag: "RemoveService"; readonly serviceId: string }
  | {
      readonly _tag: "AddRoute"
      readonly route: Pick<RouteRow, "domain" | "path" | "proxyType" | "ssl">
      readonly to: Ref
    }
  | {
      readonly _tag: "UpdateRoute"
      readonly routeId: string
      readonly fields: Partial<Pick<RouteRow, "proxyType" | "ssl">>
      readonly to?: Ref
    }
  | { readonly _tag: "RemoveRoute"; readonly routeId: string }
  | {
      readonly _tag: "AddDependency"
      readonly from: Ref
      readonly on: Ref | { readonly _tag: "External"; readonly name: string }
      readonly type: DependencyRow["dependencyType"]
      readonly required: boolean
    }

/** One field: what the registry says and what the host says. */
export interface FieldChange {
  readonly field: string
  readonly from: Json
  readonly to: Json
}

/** One difference between a host and the registry. */
export interface Finding {
  /** Says which one it is, and stays the same from scan to scan: `service api`, `route example.com/x`. */
  readonly id: string
  readonly kind: "service" | "route" | "dependency"
  readonly change: "new" | "changed" | "gone"
  readonly name: string
  readonly fields: ReadonlyArray<FieldChange>
  /** From 0 to 1. */
  readonly confidence: number
  readonly evidence: ReadonlyArray<Evidence>
  readonly proposal: Proposal
}

/** What keeps a service, as its `config` has it. */
export const keeperOf = (config: unknown): Keeper => {
  const words = (typeof config === "object" && config !== null ? config : {}) as Readonly<Record<string, unknown>>
  const text = (key: string) => (typeof words[key] === "string" ? { [key]: words[key] } : {})
  return { ...text("unit"), ...text("container"), ...text("pm2") }
}
