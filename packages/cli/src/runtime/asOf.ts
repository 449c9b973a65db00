/** The read models of the past, which say on standard error what moment they show. */
import type { StorageError } from "@context-engine/core/Errors"
import { ReadModels } from "@context-engine/core/ReadModels"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { moment } from "../render/units.js"
import { say } from "../terminal.js"

export const asOf = (at: string) =>
  Layer.unwrapEffect(
    Effect.map(
      Effect.promise(() => import("@context-engine/core/services/AsOf")),
      ({ layer }) => layer(at).pipe(Layer.tap((services) => announce(Context.get(services, ReadModels)))),
    ),
  )

const announce = (models: ReadModels["Type"]): Effect.Effect<void, StorageError> =>
  Effect.flatMap(models.asOf, ({ position, recordedAt }) =>
    say(
      position === 0 || recordedAt === null
        ? "as of before the first event of the log"
        : `as of position ${position} of the log, ${moment(recordedAt)} UTC`,
    ),
  )
