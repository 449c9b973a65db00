/** The rest of the contract: the state of everything, health checks, deploys, rollbacks and what belongs to them. */
import { Line, Text } from "@context-engine/core/domain/fields"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { OperationFailed, RemoteError } from "./errors.js"
import * as Fields from "./fields.js"
import { says, streaming } from "./openapi.js"
import * as Reports from "./reports.js"
import * as Rows from "./rows.js"

const status = HttpApiEndpoint.get("status", "/status")
  .setUrlParams(Fields.query(Fields.reading))
  .addSuccess(Reports.Status)
  .annotateContext(says("Show every server and service, from what the log knows"))

const health = HttpApiEndpoint.post("health", "/health")
  .setPayload(Fields.optionalBody("HealthCheck", { services: Schema.optional(Schema.Array(Schema.String)) }))
  .addSuccess(Schema.Array(Reports.HealthReport))
  .annotateContext(says("Check services, all or the named ones, at their health endpoints"))

const running = {
  notes: Schema.optional(Text),
  /** Milliseconds the service has to become healthy. Default 60,000. */
  healthTimeout: Fields.millis(3_600_000),
  /** How many checks in a row must find it healthy. Default 2. */
  healthCount: Schema.optional(Schema.Int.pipe(Schema.between(1, 100))),
  /** Milliseconds the commands may run. Default 15 minutes. */
  timeout: Fields.millis(86_400_000),
  /** Milliseconds to wait for the lock of somebody else. Default 0. */
  wait: Fields.millis(86_400_000),
  /** Whether to take the lock of somebody who is gone. */
  takeOver: Schema.optional(Schema.Boolean),
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
      autoRollback: Schema.optional(Schema.Boolean),
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

const plan = HttpApiEndpoint.get("plan", "/services/:name/plan")
  .setPath(Fields.path("name"))
  .setUrlParams(Fields.query({ version: Schema.optional(Schema.String) }))
  .addSuccess(Reports.DeployPlan)
  .addError(RemoteError)
  .addError(OperationFailed)
  .annotateContext(says("Show what a deployment would do", "Changes nothing and takes no lock."))

const cancel = HttpApiEndpoint.post("cancel", "/deployments/:id/cancel")
  .setPath(Fields.path("id"))
  .addSuccess(Rows.Deployment)
  .addError(RemoteError)
  .addError(OperationFailed)
  .annotateContext(says("End a deployment that is on its way, with all its processes"))

const output = HttpApiEndpoint.get("output", "/deployments/:id/output")
  .setPath(Fields.path("id"))
  .addSuccess(Reports.DeployOutput)
  .annotateContext(
    says("Show all that a deployment printed", "`whole` is false where only the end of it is kept: that of the log."),
  )

const lock = HttpApiEndpoint.post("lock", "/services/:name/deploy-lock")
  .setPath(Fields.path("name"))
  .setPayload(
    Fields.optionalBody("DeployLock", { reason: Schema.optional(Text), takeOver: Schema.optional(Schema.Boolean) }),
  )
  .addSuccess(Reports.DeployLocked)
  .addError(RemoteError)
  .addError(OperationFailed)
  .annotateContext(says("Keep everybody from deploying a service", "Until the lock is deleted. `counter` only rises."))

const unlock = HttpApiEndpoint.del("unlock", "/services/:name/deploy-lock")
  .setPath(Fields.path("name"))
  .addError(RemoteError)
  .addError(OperationFailed)
  .annotateContext(says("Release the lock that was taken by hand"))

const pin = HttpApiEndpoint.post("pin", "/services/:name/pin")
  .setPath(Fields.path("name"))
  .setPayload(Fields.optionalBody("Pin", { reason: Schema.optional(Text) }))
  .addSuccess(Reports.PinnedService)
  .addError(RemoteError)
  .addError(OperationFailed)
  .annotateContext(says("Keep a service at the version it has"))

const unpin = HttpApiEndpoint.del("unpin", "/services/:name/pin")
  .setPath(Fields.path("name"))
  .addError(RemoteError)
  .addError(OperationFailed)
  .annotateContext(says("Let a service be deployed again"))

export const operations = HttpApiGroup.make("operations", { topLevel: true })
  .add(status)
  .add(health)
  .add(deploy)
  .add(rollback)
  .add(plan)
  .add(cancel)
  .add(output)
  .add(lock)
  .add(unlock)
  .add(pin)
  .add(unpin)
  .annotateContext(OpenApi.annotations({ description: "Look at everything, check health, deploy and roll back." }))

/** Whether the server runs, and its log is where it opened it and takes what is written. The one route that asks for no token. */
export const liveness = HttpApiGroup.make("liveness", { topLevel: true }).add(
  HttpApiEndpoint.get("healthz", "/healthz")
    .addSuccess(Schema.Struct({ status: Schema.Literal("ok") }))
    .annotateContext(
      says(
        "Answer that this server runs, and that its log can be written to",
        "503: it does, but the disk of its log is full, the file may not be written, or it was removed or replaced, and then the server has to be started again.",
      ),
    ),
)
