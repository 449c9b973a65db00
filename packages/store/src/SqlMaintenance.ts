/** Rebuilds and backups of a local file. */
import { existsSync } from "node:fs"
import { InvalidInput } from "@context-engine/core/Errors"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { storageError } from "./connection.js"
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
        if (existsSync(into)) {
          return yield* new InvalidInput({ field: "into", reason: `${into} exists already; name a file that does not` })
        }
        const connection = yield* database.dedicated
        yield* Effect.try({
          try: () => connection.prepare("VACUUM INTO ?").run(into),
          catch: (cause) => storageError(into, cause),
        })
        yield* copyLogs(database.path, into)
      }, Effect.scoped),
    }),
  ),
)
