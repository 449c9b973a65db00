/** The contract: every route, what it takes, what it answers and how it fails. */
import * as HttpApi from "@effect/platform/HttpApi"
import * as OpenApi from "@effect/platform/OpenApi"
import { Authorization } from "./Authorization.js"
import * as Errors from "./errors.js"
import { fleet } from "./fleet.js"
import { machines } from "./machines.js"
import { describe } from "./openapi.js"
import { liveness, operations } from "./operations.js"
import { deployments, deps, events, routes, secrets, servers, services } from "./registry.js"
import { watching } from "./watching.js"

export const Api = HttpApi.make("context")
  .add(operations)
  .add(fleet)
  .add(watching)
  .add(machines)
  .add(servers)
  .add(services)
  .add(routes)
  .add(deps)
  .add(deployments)
  .add(events)
  .add(secrets)
  .prefix("/v1")
  .add(liveness)
  .addError(Errors.NotFound)
  .addError(Errors.AlreadyExists)
  .addError(Errors.Ambiguous)
  .addError(Errors.InUse)
  .addError(Errors.DependencyCycle)
  .addError(Errors.InvalidInput)
  .addError(Errors.VersionConflict)
  .addError(Errors.StorageError)
  .middleware(Authorization)
  .annotateContext(
    OpenApi.annotations({
      title: "context infra",
      version: "1",
      description:
        "Every server, service, route, dependency, deployment and secret (names only) of a small software business. " +
        "With `X-Context-Actor: <name>` a program says for whom it asks; the log notes it.",
      transform: describe,
    }),
  )
