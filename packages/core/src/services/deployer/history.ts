/** The deployments there were: shown, noted, annotated. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type { Commands } from "../../Commands.js"
import type { DeployLogs } from "../../DeployLogs.js"
import { Text } from "../../domain/fields.js"
import {
  DeploymentAnnotated,
  DeploymentFailed,
  DeploymentHidden,
  DeploymentStarted,
  DeploymentSucceeded,
  entity,
} from "../../domain/Service.js"
import { InvalidInput, type RegistryError } from "../../Errors.js"
import * as Id from "../../Id.js"
import { Origin } from "../../Origin.js"
import type { ReadModels } from "../../ReadModels.js"
import { instantMillis } from "../../Time.js"
import type { DeploymentRow } from "../../views/deployments.js"
import { findById, findService, type Placed } from "../names.js"
import { decode } from "../registry/crud.js"
import type { DeployerShape, RecordDeployment } from "./types.js"
import { checkVersion } from "./version.js"

export type History = Pick<DeployerShape, "history" | "list" | "get" | "output" | "record" | "annotate" | "hide">

/** What a service and its server are called now, for the event to remember. */
export const namesOf = ({ server, service }: Placed) => ({
  service: service.name,
  server: server.name,
  serverId: server.id,
})

export const makeHistory = (
  models: ReadModels["Type"],
  commands: Commands["Type"],
  logs: DeployLogs["Type"],
): History => {
  const newestFirst = { order: { by: "startedAt", descending: true } } as const

  const get = (id: string): Effect.Effect<DeploymentRow, RegistryError> =>
    findById("deployment", models.deployments, id)

  /** Appends a fact about a deployment to the stream of its service, which may be gone. */
  const note = (row: DeploymentRow, make: (names: ReturnType<typeof namesOf>) => { type: string; data: unknown }) =>
    Effect.gen(function* () {
      const service = yield* models.services.get(row.serviceId)
      const serverId = service?.serverId ?? ""
      yield* commands.record(entity.aggregate, row.serviceId, [
        make({ service: row.service, server: row.server, serverId }),
      ])
    })

  return {
    get,
    output: Effect.fn("Deployer.output")(function* (id: string) {
      const row = yield* get(id)
      const text = yield* logs.read(row.id)
      return text === undefined ? { text: row.logs ?? "", whole: false } : { text, whole: true }
    }),
    list: (options) => models.deployments.list({ ...newestFirst, limit: options?.limit ?? 50 }),
    history: Effect.fn("Deployer.history")(function* (name: string, options?: { readonly limit?: number }) {
      const { service } = yield* findService(models, name)
      return yield* models.deployments.list({
        where: { serviceId: service.id },
        ...newestFirst,
        limit: options?.limit ?? 20,
      })
    }),
    record: Effect.fn("Deployer.record")(function* (input: RecordDeployment) {
      const placed = yield* findService(models, input.service)
      const events = yield* eventsOf(placed, input)
      yield* commands.record(entity.aggregate, placed.service.id, events.list)
      return yield* get(events.deploymentId)
    }),
    annotate: Effect.fn("Deployer.annotate")(function* (id: string, notes: string | null) {
      const row = yield* get(id)
      const checked = notes === null ? null : yield* decode(Text, notes)
      yield* note(row, (names) => DeploymentAnnotated({ ...names, deploymentId: row.id, notes: checked }))
      return yield* get(row.id)
    }),
    hide: Effect.fn("Deployer.hide")(function* (id: string) {
      const row = yield* get(id)
      yield* note(row, (names) => DeploymentHidden({ ...names, deploymentId: row.id }))
    }),
  }
}

/** The two events of a deployment that is over already. */
const eventsOf = (placed: Placed, input: RecordDeployment) =>
  Effect.gen(function* () {
    const version = yield* checkVersion(input.version)
    const now = DateTime.formatIso(yield* DateTime.now)
    const startedAt = yield* instant("startedAt", input.startedAt ?? now)
    const completedAt = yield* instant("completedAt", input.completedAt ?? now)
    for (const text of [input.deployedBy, input.logs, input.reason, input.notes]) yield* decode(Text, text ?? "")
    const deploymentId = yield* Id.make
    const names = namesOf(placed)
    const { actor } = yield* Origin
    const ended = {
      ...names,
      deploymentId,
      version,
      duration: Math.max(0, (Date.parse(completedAt) - Date.parse(startedAt)) / 1000),
      logs: input.logs ?? "",
      at: completedAt,
    }
    const started = DeploymentStarted({
      ...names,
      deploymentId,
      version,
      previousVersion: placed.service.currentVersion,
      deployedBy: input.deployedBy ?? actor,
      method: input.method ?? "ci",
      notes: input.notes ?? null,
      at: startedAt,
    })
    const end =
      input.status === "success"
        ? DeploymentSucceeded({ ...ended, verified: false })
        : DeploymentFailed({ ...ended, reason: input.reason ?? "it failed where it was run" })
    return { deploymentId, list: [started, end] }
  })

const instant = (field: string, text: string): Effect.Effect<string, InvalidInput> => {
  const millis = instantMillis(text)
  return millis === undefined
    ? new InvalidInput({ field, reason: "must be an ISO 8601 time, for example 2026-11-01T12:00Z" })
    : Effect.succeed(new Date(millis).toISOString())
}
