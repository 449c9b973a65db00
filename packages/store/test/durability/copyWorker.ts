/** One piece of work on whole files, in a process of its own that may be killed in it. `calls.ts` starts it. */
import { copyFileSync, readFileSync } from "node:fs"
import { EventLog } from "@context-engine/core/EventLog"
import { Audit } from "@context-engine/core/services/Audit"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { layer } from "../../src/layer.js"
import { restore } from "../../src/restore.js"
import * as SqlAudit from "../../src/SqlAudit.js"
import * as SqlMaintenance from "../../src/SqlMaintenance.js"
import { serverAdded } from "../support/events.js"

const onLog = <A, E>(path: string, work: Effect.Effect<A, E, Audit | Maintenance>) =>
  Effect.provide(work, Layer.provide(Layer.merge(SqlAudit.layer, SqlMaintenance.layer), layer(path)))

const lines = (file: string) => Stream.fromIterable(readFileSync(file, "utf8").trim().split("\n"))

const roles: Readonly<Record<string, (path: string, other: string) => Effect.Effect<unknown, Error>>> = {
  restore: (path, backup) => restore(backup, path),
  backup: (path, into) =>
    onLog(
      path,
      Effect.flatMap(Maintenance, (care) => care.backup(into)),
    ),
  replay: (path, into) =>
    onLog(
      path,
      Effect.flatMap(Audit, (audit) => audit.replay("3", into)),
    ),
  import: (path, file) =>
    onLog(
      path,
      Effect.flatMap(Audit, (audit) => audit.import(lines(file))),
    ),
  rebuild: (path) =>
    onLog(
      path,
      Effect.flatMap(Maintenance, (care) => care.rebuild()),
    ),
  // Something is acknowledged, and then a file is copied over the log, as `cp` does.
  copiedOver: (path, over) =>
    Effect.flatMap(EventLog, (log) =>
      log.append([{ stream: "server-late", expected: "any", events: [serverAdded("late")] }]),
    ).pipe(
      Effect.tap(() => Effect.sync(() => copyFileSync(over, path))),
      Effect.provide(layer(path)),
    ),
}

const [, , role = "", path = "", other = ""] = process.argv
await Effect.runPromise(roles[role]?.(path, other) ?? Effect.die(`there is no role ${role}`))
