/** The handlers that look at everything, check health, deploy and roll back. */
import { Deployer } from "@context-engine/core/services/Deployer"
import { Health } from "@context-engine/core/services/Health"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Api } from "../api/Api.js"
import { answer } from "./deploying.js"
import { overview } from "./reading.js"

const operations = HttpApiBuilder.group(Api, "operations", (handlers) =>
  handlers
    .handle("status", ({ urlParams }) => overview(urlParams.at))
    .handle("health", ({ payload }) => Effect.flatMap(Health, (_) => _.check(payload.services)))
    .handle("deploy", ({ path, payload, request }) =>
      Effect.flatMap(Deployer, (_) => answer(request, (watch) => _.deploy(path.name, { ...payload, ...watch }))),
    )
    .handle("rollback", ({ path, payload, request }) =>
      Effect.flatMap(Deployer, (_) => answer(request, (watch) => _.rollback(path.name, { ...payload, ...watch }))),
    ),
)

const liveness = HttpApiBuilder.group(Api, "liveness", (handlers) =>
  handlers.handle("healthz", () => Effect.succeed({ status: "ok" as const })),
)

/** The handlers of everything but the registry. */
export const layer = Layer.merge(operations, liveness)
