/** The read side alone: the rows of a local file, without the log's writer and all that it has to know. */
import type { StorageError } from "@context-engine/core/Errors"
import type { ReadModels } from "@context-engine/core/ReadModels"
import * as Layer from "effect/Layer"
import * as Database from "./Database.js"
import * as SqlReadModels from "./SqlReadModels.js"

/** The read models over the file, which is made if there is none. */
export const layer = (path: string, options: Database.Options = {}): Layer.Layer<ReadModels, StorageError> =>
  SqlReadModels.layer.pipe(Layer.provide(Database.layer(path, options)))
