/** Everything there is over one file, for stories about the file itself. */
import { Audit } from "@context-engine/core/services/Audit"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layer } from "../../src/layer.js"
import * as SqlAudit from "../../src/SqlAudit.js"
import * as SqlMaintenance from "../../src/SqlMaintenance.js"
import { freshPath } from "./files.js"

const live = (path: string) =>
  Layer.mergeAll(Registry.layer, SqlAudit.layer, SqlMaintenance.layer).pipe(Layer.provideMerge(layer(path)))

/** Runs a story on the log in a file. */
export const inLog = <A, E>(path: string, story: Effect.Effect<A, E, Layer.Layer.Success<ReturnType<typeof live>>>) =>
  Effect.runPromise(Effect.provide(story, live(path)))

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
