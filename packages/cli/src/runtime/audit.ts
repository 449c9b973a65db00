/** Behind `withAudit`: the log itself, looked at, taken out, brought in and cared for. */
import { Audit } from "@context-engine/core/services/Audit"
import { History } from "@context-engine/core/services/History"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as SqlAudit from "@context-engine/store/SqlAudit"
import * as SqlMaintenance from "@context-engine/store/SqlMaintenance"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { machineKey } from "./key.js"
import type { LogOptions } from "./log.js"
import { run } from "./run.js"

export interface Books {
  readonly audit: Audit["Type"]
  readonly history: History["Type"]
  readonly maintenance: Maintenance["Type"]
}

export const open = <A>(options: LogOptions, use: (books: Books) => Effect.Effect<A, unknown>) =>
  run(
    options,
    Layer.mergeAll(SqlAudit.layerWith(machineKey()), SqlMaintenance.layer, History.layer),
    Effect.flatMap(Effect.all({ audit: Audit, history: History, maintenance: Maintenance }), use),
  )
