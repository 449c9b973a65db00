/** The handlers that look at everything, check health, deploy and roll back. */
import { StorageError } from "@context-engine/core/Errors"
import { Deployer } from "@context-engine/core/services/Deployer"
import { Health } from "@context-engine/core/services/Health"
import { Database } from "@context-engine/store/Database"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Api } from "../api/Api.js"
import { answer } from "./deploying.js"
import { overview } from "./reading.js"

const deployer = <A, E, R>(tell: (deployer: Deployer["Type"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Deployer, tell)

/** What the variables that a service's settings name are taken from: the environment of the server. */
const environment = process.env

const operations = HttpApiBuilder.group(Api, "operations", (handlers) =>
  handlers
    .handle("status", ({ urlParams }) => overview(urlParams))
    .handle("health", ({ payload }) => Effect.flatMap(Health, (_) => _.check(payload.services)))
    .handle("deploy", ({ path, payload, request }) =>
      deployer((_) => answer(request, (watch) => _.deploy(path.name, { environment, ...payload, ...watch }))),
    )
    .handle("rollback", ({ path, payload, request }) =>
      deployer((_) => answer(request, (watch) => _.rollback(path.name, { environment, ...payload, ...watch }))),
    )
    .handle("plan", ({ path, urlParams }) => deployer((_) => _.plan(path.name, urlParams)))
    .handle("cancel", ({ path }) => deployer((_) => Effect.flatMap(_.get(path.id), ({ id }) => _.cancel(id))))
    .handle("output", ({ path }) => deployer((_) => _.output(path.id)))
    .handle("lock", ({ path, payload }) => deployer((_) => _.lock(path.name, payload)))
    .handle("unlock", ({ path }) => Effect.asVoid(deployer((_) => _.unlock(path.name))))
    .handle("pin", ({ path, payload }) => deployer((_) => _.pin(path.name, payload.reason)))
    .handle("unpin", ({ path }) => Effect.asVoid(deployer((_) => _.unpin(path.name)))),
)

/** Whoever asks without a token is not told where the file is. */
const unwell = {
  replaced: "the file of the log was removed, or another was put in its place; start the server again",
  full: "the disk of the log is full, and nothing can be written to it; make room there",
  unavailable: "nothing can be written to the log; what keeps from it is told on the server by context infra alert",
} as const

const fail = (reason: keyof typeof unwell) => new StorageError({ reason, message: unwell[reason] })

const liveness = HttpApiBuilder.group(Api, "liveness", (handlers) =>
  handlers.handle("healthz", () =>
    Effect.flatMap(Database, ({ obstacle }) =>
      Effect.matchEffect(obstacle, {
        onSuccess: (found) => (found === null ? Effect.succeed({ status: "ok" as const }) : fail(found.reason)),
        onFailure: ({ reason }) => fail(reason === "full" || reason === "unavailable" ? reason : "replaced"),
      }),
    ),
  ),
)

/** The handlers of everything but the registry. */
export const layer = Layer.merge(operations, liveness)
