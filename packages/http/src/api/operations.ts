/** The rest of the contract: the state of everything, health checks, deploys and rollbacks. */
import { Line, Text } from "@context-engine/core/domain/fields"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { OperationFailed, RemoteError } from "./errors.js"
import * as Fields from "./fields.js"
import { streaming } from "./openapi.js"
import * as Reports from "./reports.js"
import * as Rows from "./rows.js"

const says = (summary: string, description?: string, transform?: typeof streaming) =>
  OpenApi.annotations({ summary, description, transform })

const status = HttpApiEndpoint.get("status", "/status")
  .setUrlParams(Fields.query({ at: Fields.at }))
  .addSuccess(Reports.Status)
  .annotateContext(says("Show every server and service, from what the log knows"))

const health = HttpApiEndpoint.post("health", "/health")
  .setPayload(Fields.optionalBody("HealthCheck", { services: Schema.optional(Schema.Array(Schema.String)) }))
  .addSuccess(Schema.Array(Reports.HealthReport))
  .annotateContext(says("Check services, all or the named ones, at their health endpoints"))

const millis = (most: number) => Schema.optional(Schema.Int.pipe(Schema.between(0, most)))

const running = {
  notes: Schema.optional(Text),
  /** Milliseconds the service has to become healthy. Default 60,000. */
  healthTimeout: millis(3_600_000),
  /** Milliseconds the command may run. Default 15 minutes. */
  timeout: millis(86_400_000),
}

const lasting =
  "Answers when it is over, with the deployment: `status` is `success` or `failed`, with the `reason`. With " +
  "`Accept: text/event-stream` the output comes as it is printed, as events `step`, `output` and at last `deployment` " +
  "(or `error`). It goes on when the caller hangs up. 422: nothing was run."

const deploy = HttpApiEndpoint.post("deploy", "/services/:name/deploy")
  .setPath(Fields.path("name"))
  .setPayload(
    Fields.optionalBody("Deploy", {
      version: Schema.optional(Line),
      method: Schema.optional(Schema.Literal("manual", "ci", "claude")),
      ...running,
    }),
  )
  .addSuccess(Rows.Deployment)
  .addError(RemoteError)
  .addError(OperationFailed)
  .annotateContext(says("Deploy a service", lasting, streaming))

const rollback = HttpApiEndpoint.post("rollback", "/services/:name/rollback")
  .setPath(Fields.path("name"))
  .setPayload(Fields.optionalBody("Rollback", { to: Schema.optional(Line), ...running }))
  .addSuccess(Rows.Deployment)
  .addError(RemoteError)
  .addError(OperationFailed)
  .annotateContext(says("Go back to the last version that was deployed well, or to the one given", lasting, streaming))

export const operations = HttpApiGroup.make("operations", { topLevel: true })
  .add(status)
  .add(health)
  .add(deploy)
  .add(rollback)
  .annotateContext(OpenApi.annotations({ description: "Look at everything, check health, deploy and roll back." }))

/** Whether the server runs. The one route that asks for no token. */
export const liveness = HttpApiGroup.make("liveness", { topLevel: true }).add(
  HttpApiEndpoint.get("healthz", "/healthz")
    .addSuccess(Schema.Struct({ status: Schema.Literal("ok") }))
    .annotateContext(says("Answer that this server runs")),
)
