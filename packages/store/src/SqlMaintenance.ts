/** Rebuilds and backups of a local file. */
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeCopy } from "./copies.js"
import { Database } from "./Database.js"
import { copyLogs } from "./FileDeployLogs.js"
import { rebuildOn } from "./rebuildOn.js"

/** The care of the local database. */
export const layer: Layer.Layer<Maintenance, never, Database> = Layer.effect(
  Maintenance,
  Effect.map(Database, (database) =>
    Maintenance.of({
      rebuild: Effect.fn("Maintenance.rebuild")(function* (onProgress) {
        const connection = yield* database.dedicated
        return yield* rebuildOn(connection, onProgress)
      }, Effect.scoped),
      backup: Effect.fn("Maintenance.backup")(function* (into: string) {
        const connection = yield* database.dedicated
        // The file comes last: where it is, all of the backup is.
        yield* writeCopy(connection, into, copyLogs(database.path, into))
      }, Effect.scoped),
    }),
  ),
)
