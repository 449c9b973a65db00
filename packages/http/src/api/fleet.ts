/** What is done by hand to what runs: logs, restarts, commands on servers, scans. */
import { Line } from "@context-engine/core/domain/fields"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { OperationFailed, RemoteError } from "./errors.js"
import * as Fields from "./fields.js"
import * as Reports from "./fleetReports.js"
import { says, streaming } from "./openapi.js"

const logs = HttpApiEndpoint.get("logs", "/services/:name/logs")
  .setPath(Fields.path("name"))
  .setUrlParams(
    Fields.query({
      n: Schema.optional(
        Schema.NumberFromString.pipe(Schema.int(), Schema.between(0, 10_000)).annotations({
          description: "how many of the last lines; default 100",
        }),
      ),
      since: Schema.optional(
        Schema.String.annotations({ description: "a time, or a span ago such as 10m; not for logs that are files" }),
      ),
      grep: Schema.optional(
        Schema.NonEmptyString.pipe(Schema.maxLength(500)).annotations({
          description: "only the lines that hold this text, as it stands: no pattern",
        }),
      ),
    }),
  )
  .addSuccess(Reports.LogLines)
  .addError(RemoteError)
  .addError(OperationFailed)
  .annotateContext(
    says(
      "Show the last lines of a service's log",
      "With `Accept: text/event-stream` it begins with them and goes on until the caller hangs up, as events `line` " +
        "(`service`, `line`), `news` (`down` and `up`: the link to its server; `gap`: lines that were rotated away unread) and, " +
        "where it cannot go on, `error`. Lines have no escape codes, and nothing in them that looks like a secret.",
      streaming,
    ),
  )

const forced = {
  /** Do it although it is being deployed, or is locked. */
  force: Schema.optional(Schema.Boolean),
  /** Milliseconds that the command may take. Default 120,000. */
  timeout: Fields.millis(3_600_000),
}

/** With how long the service has to become healthy, in milliseconds. Default 60,000. */
const gated = { ...forced, healthTimeout: Fields.millis(3_600_000) }

const lasting =
  "Answers when it is over: `outcome` is `done`, `failed` or `unknown`, with the `reason`. It goes on when the caller hangs up. " +
  "422: nothing was run."

/** What is done to a service itself; the endpoint is called as it is. */
const lifecycle = <Name extends string, F extends Schema.Struct.Fields>(name: Name, title: string, fields: F) =>
  HttpApiEndpoint.post(name, `/services/:name/${name}`)
    .setPath(Fields.path("name"))
    .setPayload(Fields.optionalBody(`${name[0]?.toUpperCase()}${name.slice(1)}`, fields))
    .addSuccess(Reports.LifecycleReport)
    .addError(RemoteError)
    .addError(OperationFailed)
    .annotateContext(says(title, lasting))

const restart = lifecycle("restart", "Restart a service, and wait until it is healthy", gated)
const start = lifecycle("start", "Start a service that was stopped, and wait until it is healthy", gated)
const stop = lifecycle("stop", "Stop a service", forced)

const run = HttpApiEndpoint.post("run", "/servers/run")
  .setPayload(
    Fields.body("Run", {
      servers: Schema.optional(Schema.Array(Schema.String)),
      tag: Schema.optional(Line),
      all: Schema.optional(Schema.Boolean),
      command: Schema.NonEmptyArray(Schema.String),
      /** Milliseconds for each server, connecting included. Default 60,000. */
      timeout: Fields.millis(3_600_000),
      /** How many servers at once. Default 16. */
      concurrency: Schema.optional(Schema.Int.pipe(Schema.between(1, 64))),
    }),
  )
  .addSuccess(Schema.Array(Reports.RunReport))
  .addError(OperationFailed)
  .annotateContext(
    says(
      "Run a command on servers: the named ones, those with a tag, or all",
      "No shell reads its arguments. Answers when it is over everywhere, with at most 64 KiB of each stream from each server. " +
        "It is ended when the caller hangs up. The log keeps what was run where, not what it printed.",
    ),
  )

const scan = HttpApiEndpoint.post("scan", "/servers/:name/scan")
  .setPath(Fields.path("name"))
  .setPayload(Fields.optionalBody("Scan", { apply: Schema.optional(Schema.Array(Schema.String)) }))
  .addSuccess(Reports.ScanAnswer)
  .addError(RemoteError)
  .annotateContext(
    says(
      "Find out what runs on a server, and how that differs from the registry",
      "Registers only the findings whose ids `apply` names; what it no longer finds is `skipped`.",
    ),
  )

export const fleet = HttpApiGroup.make("fleet", { topLevel: true })
  .add(logs)
  .add(restart)
  .add(stop)
  .add(start)
  .add(run)
  .add(scan)
  .annotateContext(
    OpenApi.annotations({ description: "Read logs, restart, stop and start, run commands on servers, scan them." }),
  )
