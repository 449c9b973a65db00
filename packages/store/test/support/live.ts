/** Everything there is over one file, for stories about the file itself. */
import { Audit } from "@context-engine/core/services/Audit"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layer } from "../../src/layer.js"
import { prepare } from "../../src/restore.js"
import * as SqlAudit from "../../src/SqlAudit.js"
import * as SqlMaintenance from "../../src/SqlMaintenance.js"
import { freshPath } from "./files.js"

const live = (path: string, memory?: string) =>
  Layer.mergeAll(Registry.layer, SqlAudit.layer, SqlMaintenance.layer).pipe(
    Layer.provideMerge(layer(path, { memory: memory === undefined ? undefined : { directory: memory } })),
  )

/** Runs a story on the log in a file. `memory`: the directory in which this machine remembers it. */
export const inLog = <A, E>(
  path: string,
  story: Effect.Effect<A, E, Layer.Layer.Success<ReturnType<typeof live>>>,
  memory?: string,
) => Effect.runPromise(Effect.provide(story, live(path, memory)))

export const addServers = (...names: ReadonlyArray<string>) =>
  Effect.flatMap(Registry, ({ servers }) => Effect.forEach(names, (name) => servers.add({ name })))

export const serverNames = Effect.flatMap(Registry, ({ servers }) =>
  Effect.map(servers.list(), (rows) => rows.map(({ name }) => name)),
)

export const verify = Effect.flatMap(Audit, (audit) => audit.verify())

/** A backup of the log at a path. */
export const backupOf = async (path: string): Promise<string> => {
  const into = freshPath()
  await inLog(
    path,
    Effect.flatMap(Maintenance, (care) => care.backup(into)),
  )
  return into
}

/** Restores it, and gives where the log that was there is now. */
export const restoreBy = (backup: string, path: string, memory: string): Promise<string> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(prepare(backup, path, { memory }), ({ place }) =>
        Effect.map(place, ({ aside }) => aside as string),
      ),
    ),
  )
