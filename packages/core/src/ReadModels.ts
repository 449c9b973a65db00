/** Port: the rows folded from the log, to be asked. Implemented over SQL by the store, and over plain maps by `Fold`. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { StorageError } from "./Errors.js"
import type { DependencyRow } from "./views/dependencies.js"
import type { DeploymentRow } from "./views/deployments.js"
import type { InfraEventRow } from "./views/infraEvents.js"
import type { RejectionRow } from "./views/rejections.js"
import type { RouteRow } from "./views/routes.js"
import type { SecretRow } from "./views/secrets.js"
import type { ServerRow } from "./views/servers.js"
import type { ServiceRow } from "./views/services.js"

/** What to list: rows whose columns equal the given values (or are one of them), ordered, cut. */
export interface Query<Row> {
  readonly where?: { readonly [K in keyof Row]?: Row[K] | ReadonlyArray<Row[K]> }
  /** Only rows whose column is at least this value: text is compared as text, a number as one. */
  readonly from?: { readonly column: keyof Row & string; readonly value: string | number }
  /** Default: by the first column of a unique key, else by id. */
  readonly order?: { readonly by: keyof Row & string; readonly descending?: boolean }
  readonly limit?: number
}

export interface View<Row> {
  readonly list: (query?: Query<Row>) => Effect.Effect<ReadonlyArray<Row>, StorageError>
  readonly get: (id: string) => Effect.Effect<Row | undefined, StorageError>
}

/** The moment the rows show: the position of the last event folded into them, and when it was recorded. */
export interface AsOf {
  readonly position: number
  readonly recordedAt: string | null
}

export interface Views {
  readonly servers: View<ServerRow>
  readonly services: View<ServiceRow>
  readonly routes: View<RouteRow>
  readonly dependencies: View<DependencyRow>
  readonly deployments: View<DeploymentRow>
  readonly infraEvents: View<InfraEventRow>
  readonly secrets: View<SecretRow>
  readonly rejections: View<RejectionRow>
}

export class ReadModels extends Context.Tag("@context-engine/core/ReadModels")<
  ReadModels,
  Views & { readonly asOf: Effect.Effect<AsOf, StorageError> }
>() {}
