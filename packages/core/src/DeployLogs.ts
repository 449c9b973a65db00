/** Port: all that deployments printed, whole, beside the log. The log itself holds the end of it only. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StorageError } from "./Errors.js"

export class DeployLogs extends Context.Tag("@context-engine/core/DeployLogs")<
  DeployLogs,
  {
    /**
     * Begins the text of a deployment, in the place of what there may be of it. It is complete when the scope is closed.
     * Text that cannot be kept is left out: no deployment fails for it.
     */
    readonly write: (deploymentId: string) => Effect.Effect<(text: string) => Effect.Effect<void>, never, Scope.Scope>
    /** The text of a deployment; `undefined` where none is kept on this machine. */
    readonly read: (deploymentId: string) => Effect.Effect<string | undefined, StorageError>
  }
>() {}
