/** The dependencies' part of the registry. Required ones of ours never form a cycle. */
import * as Effect from "effect/Effect"
import type { Commands } from "../../Commands.js"
import { cycleThrough, type Dependency, type DependencyInput, entity } from "../../domain/Dependency.js"
import { Ambiguous, DependencyCycle, InvalidInput, type RegistryError } from "../../Errors.js"
import * as Id from "../../Id.js"
import type { ReadModels } from "../../ReadModels.js"
import type { DependencyRow } from "../../views/dependencies.js"
import { beginsId, findService, fullName, hasId, missing, named, placeAll, some, withId } from "../names.js"
import { add, decode, execute, remove, update } from "./crud.js"

/** A dependency as people see it, with `server/service` names; `external` when it is not one of ours. */
export type DependencyView = DependencyRow & {
  readonly service: string
  readonly dependsOn: string
  readonly external: boolean
}

/** What is needed to add one: `on` (a service of ours) or `external` (a name of others'). */
export type AddDependency = Omit<DependencyInput, "serviceId" | "dependsOnServiceId" | "dependsOnExternal"> & {
  readonly service: string
  readonly on?: string
  readonly external?: string
}
export type ChangeDependency = Partial<Omit<Dependency, "serviceId" | "dependsOnServiceId" | "dependsOnExternal">>

/** Which dependency is meant: of which service, on what. Where that is not said, `service` is the dependency's own id. */
export interface DependencyKey {
  readonly service: string
  readonly on?: string | undefined
  /** Whether `on` is one of others'. Where that is not said, what it is called in full goes before what a service is called. */
  readonly external?: boolean | undefined
}

const wordsOf = ({ dependsOn, service }: DependencyView): string => `${service} → ${dependsOn}`

/** What a key says, in words. */
const keyWords = ({ on, service }: DependencyKey): string => (on === undefined ? service : `${service} → ${on}`)

export const makeDependencies = (models: ReadModels["Type"], commands: Commands["Type"]) => {
  const names = Effect.map(
    Effect.flatMap(models.services.list(), (services) => placeAll(models, services)),
    (placed) => new Map(placed.map((one) => [one.service.id, fullName(one)])),
  )

  /** All of them; those of one service; or, `reverse`, those on it. */
  const list = Effect.fn("Registry.listDependencies")(function* (options?: {
    readonly service?: string
    readonly reverse?: boolean
  }) {
    const id = options?.service === undefined ? undefined : (yield* findService(models, options.service)).service.id
    const where = id === undefined ? {} : options?.reverse ? { dependsOnServiceId: id } : { serviceId: id }
    const called = yield* names
    const rows = yield* models.dependencies.list({ where })
    return rows.map(
      (row): DependencyView => ({
        ...row,
        service: called.get(row.serviceId) ?? "?",
        dependsOn: row.dependsOnExternal ?? called.get(row.dependsOnServiceId ?? "") ?? "?",
        external: row.dependsOnExternal !== null,
      }),
    )
  })

  const get = (key: DependencyKey): Effect.Effect<DependencyView, RegistryError> =>
    Effect.gen(function* () {
      const { external, on, service } = key
      if (on === undefined) return yield* byOwnId(service)
      const both = yield* list({ service })
      const all = both.filter((row) => external === undefined || row.external === external)
      const hasIds = (row: DependencyView) => hasId(row.id, on) || hasId(row.dependsOnServiceId ?? "", on)
      const exact = all.filter((row) => row.dependsOn === on || hasIds(row))
      const isCalled = (row: DependencyView) => !row.external && row.dependsOn.endsWith(`/${on}`)
      // What can be an id may have been given to a service for a name.
      const found =
        exact.length > 0 && !beginsId(on) ? exact : all.filter((row) => exact.includes(row) || isCalled(row))
      const name = keyWords(key)
      const other = both.find((row) => row.dependsOn === on && row.external !== external)
      if (found.length === 0 && other !== undefined)
        return yield* new InvalidInput({
          field: external ? "external" : "on",
          reason: other.external
            ? `${on} is none of your services: name it as external`
            : `${on} is a service of yours`,
        })
      if (found.length > 1) {
        const candidates = some(found.map((row) => `${row.id} (${wordsOf(row)})`))
        return yield* new Ambiguous({ entity: "dependency", name, candidates })
      }
      return found[0] ?? (yield* missing("dependency", name, all.map(wordsOf)))
    })

  /** Of a service alone it is not said which of what it depends on is meant. */
  const byOwnId = (id: string): Effect.Effect<DependencyView, RegistryError> =>
    Effect.gen(function* () {
      const services = yield* models.services.list()
      if (services.some((service) => service.name === id || hasId(service.id, id)))
        return yield* new InvalidInput({ field: "on", reason: `has to be given: ${id} can be a service` })
      return yield* named("dependency", id, yield* list(), wordsOf)
    })

  /** Refuses an edge that would close a cycle of required dependencies. */
  const refuseCycle = (from: string, to: string, ignoring?: string): Effect.Effect<void, RegistryError> =>
    Effect.gen(function* () {
      const required = (yield* models.dependencies.list({ where: { required: true } })).filter(
        (row) => row.id !== ignoring && row.dependsOnServiceId !== null,
      )
      const edges = required.map((row) => [row.serviceId, row.dependsOnServiceId as string] as const)
      const cycle = cycleThrough(edges, from, to)
      if (cycle === undefined) return
      const called = yield* names
      return yield* new DependencyCycle({ path: cycle.map((id) => called.get(id) ?? id) })
    })

  return {
    list,
    get,
    add: Effect.fn("Registry.addDependency")(function* ({ external, on, service, ...fields }: AddDependency) {
      if ((on === undefined) === (external === undefined)) {
        return yield* new InvalidInput({
          field: "on",
          reason: "must name either a service of yours or something external",
        })
      }
      const checked = yield* decode(entity.input, { ...fields, serviceId: "", dependsOnExternal: external ?? null })
      const id = yield* Id.make
      const plan = Effect.gen(function* () {
        const from = (yield* findService(models, service)).service.id
        const to = on === undefined ? null : (yield* findService(models, on)).service.id
        if (to !== null && checked.required) yield* refuseCycle(from, to)
        return [add(entity.aggregate, id, { ...checked, serviceId: from, dependsOnServiceId: to })]
      })
      const name = `${service} → ${on ?? external}`
      yield* execute(commands, { entity: "dependency", name }, plan)
      return yield* withId("dependency", list(), id)
    }),
    update: Effect.fn("Registry.updateDependency")(function* (key: DependencyKey, changes: ChangeDependency) {
      const patch = yield* decode(entity.patch, changes)
      let id = ""
      const plan = Effect.gen(function* () {
        const row = yield* get(key)
        id = row.id
        if (patch.required === true && row.dependsOnServiceId !== null) {
          yield* refuseCycle(row.serviceId, row.dependsOnServiceId, row.id)
        }
        return [update(entity.aggregate, row.id, patch)]
      })
      yield* execute(commands, { entity: "dependency", name: keyWords(key) }, plan)
      return yield* withId("dependency", list(), id)
    }),
    remove: Effect.fn("Registry.removeDependency")(function* (key: DependencyKey) {
      const plan = Effect.map(get(key), (row) => [remove(entity.aggregate, row.id)])
      return yield* execute(commands, { entity: "dependency", name: keyWords(key) }, plan)
    }),
  }
}
