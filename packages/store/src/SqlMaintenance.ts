/** Rebuilds and backups of a local file. */
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeCopy } from "./copies.js"
import { refuseCut } from "./cut.js"
import { Database } from "./Database.js"
import { copyLogs } from "./FileDeployLogs.js"
import { rebuildOn } from "./rebuildOn.js"
import { readStanding } from "./standing.js"

/** The care of the local database. */
export const layer: Layer.Layer<Maintenance, never, Database> = Layer.effect(
  Maintenance,
  Effect.map(Database, (database) =>
    Maintenance.of({
      rebuild: Effect.fn("Maintenance.rebuild")(function* (onProgress) {
        const connection = yield* database.dedicated
        // Its tables would say what the log says, and nothing any more that it lacks something.
        yield* database.read((c) => refuseCut(readStanding(c)))
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
