/** Registers what a person chose from a scan: one transaction, and nothing twice. */
import * as Effect from "effect/Effect"
import type { Commands } from "../../Commands.js"
import * as Dependency from "../../domain/Dependency.js"
import * as Route from "../../domain/Route.js"
import * as Service from "../../domain/Service.js"
import type { RegistryError } from "../../Errors.js"
import * as Id from "../../Id.js"
import type { ReadModels } from "../../ReadModels.js"
import type { ServerRow } from "../../views/servers.js"
import { findServer } from "../names.js"
import { type AnyRequest, add, decode, execute, remove, update } from "../registry/crud.js"
import { attachedTo, removeServices } from "../registry/removal.js"
import type { Finding, Known, Ref } from "./finding.js"

/** What became of the chosen findings. */
export interface Applied {
  /** The ids of the findings that are in the registry now, those included that had been before. */
  readonly applied: ReadonlyArray<string>
  readonly skipped: ReadonlyArray<{ readonly id: string; readonly reason: string }>
}

/** The registry that a scan of a server is compared with. */
export const knownOf = (models: ReadModels["Type"], server: ServerRow) =>
  Effect.all({
    server: Effect.succeed(server),
    servers: models.servers.list(),
    services: models.services.list(),
    routes: models.routes.list(),
    dependencies: models.dependencies.list(),
  })

/** Decides everything anew on what the registry says now; whoever else wrote meanwhile is not overwritten. */
export const applyFindings = (
  models: ReadModels["Type"],
  commands: Commands["Type"],
  server: string,
  findings: ReadonlyArray<Finding>,
): Effect.Effect<Applied, RegistryError> =>
  Effect.gen(function* () {
    let result: Applied = { applied: [], skipped: [] }
    const plan = Effect.gen(function* () {
      const batch = yield* makeBatch(models, yield* findServer(models, server), findings)
      for (const finding of ordered(findings)) yield* batch.take(finding)
      result = batch.result()
      return batch.requests
    })
    yield* execute(commands, { entity: "service", name: server }, plan)
    return result
  })

/** Services come first: routes and dependencies refer to them. What goes, goes last. */
const ordered = (findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> => {
  const rank = ({ proposal: { _tag } }: Finding) =>
    _tag === "AddService" ? 0 : _tag === "UpdateService" ? 1 : _tag.startsWith("Remove") ? 3 : 2
  return [...new Map(findings.map((one) => [one.id, one])).values()].sort((a, b) => rank(a) - rank(b))
}

const makeBatch = (models: ReadModels["Type"], server: ServerRow, findings: ReadonlyArray<Finding>) =>
  Effect.map(knownOf(models, server), (known) => {
    const requests: Array<AnyRequest> = []
    const applied: Array<string> = []
    const skipped: Array<Applied["skipped"][number]> = []
    const state = stateOf(known, findings)
    /** Adds what a finding asks for, or notes why it does not. */
    const take = (finding: Finding) =>
      Effect.match(requestsFor(finding, known, state, models), {
        onSuccess: (asked) => {
          requests.push(...asked)
          applied.push(finding.id)
        },
        onFailure: (error) => void skipped.push({ id: finding.id, reason: error.message }),
      })
    return { requests, take, result: (): Applied => ({ applied, skipped }) }
  })

/** What the requests so far will have made of the registry. */
const stateOf = (known: Known, findings: ReadonlyArray<Finding>) => ({
  services: new Map(known.services.filter((row) => row.serverId === known.server.id).map((row) => [row.name, row.id])),
  routes: new Set(known.routes.map((row) => `${row.domain} ${row.path} ${row.method}`)),
  edges: known.dependencies.flatMap((row) =>
    row.required && row.dependsOnServiceId !== null ? [[row.serviceId, row.dependsOnServiceId] as const] : [],
  ),
  dependencies: new Set(
    known.dependencies.map((row) => `${row.serviceId} ${row.dependsOnServiceId ?? row.dependsOnExternal}`),
  ),
  removed: new Set<string>(),
  /** Routes that lead elsewhere now: they do not go with the service that they led to. */
  moved: new Set<string>(),
  /** Services that will be removed: nothing new may refer to them. */
  leaving: new Set(findings.flatMap(({ proposal }) => (proposal._tag === "RemoveService" ? [proposal.serviceId] : []))),
})

type State = ReturnType<typeof stateOf>
type Requests = Effect.Effect<ReadonlyArray<AnyRequest>, { readonly message: string }>

const requestsFor = (finding: Finding, known: Known, state: State, models: ReadModels["Type"]): Requests => {
  const { proposal } = finding
  switch (proposal._tag) {
    case "AddService":
      return addService(proposal.name, proposal.fields, known, state)
    case "UpdateService":
      if (!known.services.some((row) => row.id === proposal.serviceId)) return refuse("it is not registered any more")
      return Effect.map(decode(Service.entity.patch, proposal.fields), (patch) => [
        update(Service.entity.aggregate, proposal.serviceId, patch),
      ])
    case "RemoveService":
      return removeService(proposal.serviceId, known, state, models)
    case "RemoveRoute":
      if (!known.routes.some((row) => row.id === proposal.routeId) || state.removed.has(proposal.routeId))
        return nothing
      state.removed.add(proposal.routeId)
      return Effect.succeed([remove(Route.entity.aggregate, proposal.routeId)])
    case "AddRoute":
      return addRoute(proposal, known, state)
    case "UpdateRoute":
      return updateRoute(proposal, known, state)
    case "AddDependency":
      return addDependency(proposal, known, state)
  }
}

const nothing: Requests = Effect.succeed([])

const refuse = (message: string): Requests => Effect.fail({ message })

const addService = (name: string, fields: object, known: Known, state: State): Requests => {
  if (state.services.has(name)) return nothing
  return Effect.gen(function* () {
    const data = yield* decode(Service.entity.input, { ...fields, name, serverId: known.server.id })
    const id = yield* Id.make
    state.services.set(name, id)
    return [add(Service.entity.aggregate, id, data)]
  })
}

const removeService = (id: string, known: Known, state: State, models: ReadModels["Type"]): Requests => {
  const row = known.services.find((one) => one.id === id)
  if (row === undefined) return nothing
  return Effect.map(attachedTo(models, [row]), (attached) =>
    removeServices([row], attached).filter((request) => {
      const taken = state.removed.has(request.id) || state.moved.has(request.id)
      state.removed.add(request.id)
      return !taken
    }),
  )
}

const addRoute = (asked: Proposed<"AddRoute">, known: Known, state: State): Requests => {
  const key = `${asked.route.domain} ${asked.route.path} *`
  if (state.routes.has(key)) return nothing
  const serviceId = idOf(asked.to, known, state)
  if (serviceId === undefined) return refuse(unchosen(asked.to))
  return Effect.gen(function* () {
    const data = yield* decode(Route.entity.input, { ...asked.route, serviceId })
    state.routes.add(key)
    return [add(Route.entity.aggregate, yield* Id.make, data)]
  })
}

const updateRoute = (asked: Proposed<"UpdateRoute">, known: Known, state: State): Requests => {
  const route = known.routes.find((row) => row.id === asked.routeId)
  if (route === undefined) return refuse("it is not registered any more")
  if (asked.to === undefined && state.leaving.has(route.serviceId)) return refuse("its service is to be removed")
  const serviceId = asked.to === undefined ? undefined : idOf(asked.to, known, state)
  if (asked.to !== undefined && serviceId === undefined) return refuse(unchosen(asked.to))
  if (serviceId !== undefined) state.moved.add(route.id)
  const changes = { ...asked.fields, ...(serviceId === undefined ? {} : { serviceId }) }
  return Effect.map(decode(Route.entity.patch, changes), (patch) => [
    update(Route.entity.aggregate, asked.routeId, patch),
  ])
}

const addDependency = (asked: Proposed<"AddDependency">, known: Known, state: State): Requests => {
  const from = idOf(asked.from, known, state)
  if (from === undefined) return refuse(unchosen(asked.from))
  const on = asked.on._tag === "External" ? null : idOf(asked.on, known, state)
  if (on === undefined) return refuse(asked.on._tag === "External" ? "" : unchosen(asked.on))
  const external = asked.on._tag === "External" ? asked.on.name : null
  const key = `${from} ${on ?? external}`
  if (state.dependencies.has(key)) return nothing
  if (on !== null && asked.required && Dependency.cycleThrough(state.edges, from, on) !== undefined) {
    return refuse("it would close a cycle of required dependencies")
  }
  return Effect.gen(function* () {
    const { required, type } = asked
    const fields = {
      serviceId: from,
      dependsOnServiceId: on,
      dependsOnExternal: external,
      dependencyType: type,
      required,
    }
    const data = yield* decode(Dependency.entity.input, fields)
    state.dependencies.add(key)
    if (on !== null && required) state.edges.push([from, on])
    return [add(Dependency.entity.aggregate, yield* Id.make, data)]
  })
}

type Proposed<Tag extends Finding["proposal"]["_tag"]> = Extract<Finding["proposal"], { readonly _tag: Tag }>

const idOf = (ref: Ref, known: Known, state: State): string | undefined =>
  ref._tag === "New"
    ? state.services.get(ref.name)
    : known.services.find((row) => row.id === ref.serviceId && !state.leaving.has(row.id))?.id

const unchosen = (ref: Ref): string =>
  ref._tag === "New"
    ? `service ${ref.name} is not registered: choose it, too`
    : "its service is not registered any more, or is to be removed"
