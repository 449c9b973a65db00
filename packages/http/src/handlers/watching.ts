/** The handlers that say what is wrong and how the log is shared. */
import { Alerts } from "@context-engine/core/services/Alerts"
import { Sync } from "@context-engine/core/services/Sync"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as Effect from "effect/Effect"
import { Api } from "../api/Api.js"

export const layer = HttpApiBuilder.group(Api, "watching", (handlers) =>
  handlers
    .handle("alerts", () => Effect.flatMap(Alerts, ({ list }) => list))
    .handle("sync", () => Effect.flatMap(Sync, ({ status }) => status))
    .handle("rejections", () => Effect.flatMap(Sync, ({ rejected }) => rejected)),
)
