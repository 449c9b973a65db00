/** The embedded default: log, read models and commands over one local file. */
import { Commands } from "@context-engine/core/Commands"
import type { DeployLogs } from "@context-engine/core/DeployLogs"
import type { StorageError } from "@context-engine/core/Errors"
import type { EventLog } from "@context-engine/core/EventLog"
import type { ReadModels } from "@context-engine/core/ReadModels"
import * as Layer from "effect/Layer"
import * as Database from "./Database.js"
import * as FileDeployLogs from "./FileDeployLogs.js"
import * as SqlEventLog from "./SqlEventLog.js"
import * as SqlReadModels from "./SqlReadModels.js"

/** Everything a program needs to work on the log in a file. The file is made if there is none. */
export const layer = (
  path: string,
  options: SqlEventLog.Options & Database.Options = {},
): Layer.Layer<EventLog | ReadModels | Commands | DeployLogs | Database.Database, StorageError> =>
  Commands.layer.pipe(
    Layer.provideMerge(Layer.merge(SqlEventLog.layer(options), SqlReadModels.layer)),
    Layer.provideMerge(Database.layer(path, options)),
    Layer.merge(FileDeployLogs.layer(path)),
  )
