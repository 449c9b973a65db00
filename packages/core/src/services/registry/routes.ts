/** The routes' part of the registry. */
import * as Effect from "effect/Effect"
import type { Commands } from "../../Commands.js"
import { entity, type Route, type RouteInput } from "../../domain/Route.js"
import { Ambiguous, type RegistryError } from "../../Errors.js"
import * as Id from "../../Id.js"
import type { ReadModels } from "../../ReadModels.js"
import type { RouteRow } from "../../views/routes.js"
import { beginsId, findService, hasId, missing, placeAll, some, withId } from "../names.js"
import { add, decode, execute, remove, update } from "./crud.js"

/** A route as people see it: with the names of the service it leads to and of that one's server. */
export type RouteView = RouteRow & { readonly service: string; readonly server: string }

export type AddRoute = Omit<RouteInput, "serviceId"> & { readonly service: string }
export type ChangeRoute = Partial<Omit<Route, "serviceId" | "domain" | "path" | "method">> & {
  readonly service?: string
}

/** Which route is meant. A domain alone will do while it has one route. */
export interface RouteKey {
  readonly domain: string
  readonly path?: string
  readonly method?: string
}

export const makeRoutes = (models: ReadModels["Type"], commands: Commands["Type"]) => {
  const list = Effect.fn("Registry.listRoutes")(function* () {
    const placed = yield* placeAll(models, yield* models.services.list())
    const names = new Map(
      placed.map(({ server, service }) => [service.id, { service: service.name, server: server.name }]),
    )
    const routes = yield* models.routes.list()
    return routes.map(
      (route): RouteView => ({ ...route, ...(names.get(route.serviceId) ?? { service: "?", server: "?" }) }),
    )
  })

  const get = (key: RouteKey): Effect.Effect<RouteView, RegistryError> =>
    Effect.gen(function* () {
      const routes = yield* list()
      const name = [key.method, `${key.domain}${key.path ?? ""}`].filter((part) => part !== undefined).join(" ")
      const found = routes.filter(
        (route) =>
          (route.domain === key.domain || hasId(route.id, key.domain)) &&
          (key.path === undefined || route.path === key.path) &&
          (key.method === undefined || route.method === key.method),
      )
      if (found.length > 1) {
        const shown = (route: RouteView) =>
          beginsId(key.domain) ? `${route.id} (${entity.label(route)})` : entity.label(route)
        return yield* new Ambiguous({ entity: "route", name, candidates: some(found.map(shown)) })
      }
      return (
        found[0] ??
        (yield* missing(
          "route",
          name,
          routes.map((route) => route.domain),
        ))
      )
    })

  return {
    list,
    get,
    add: Effect.fn("Registry.addRoute")(function* ({ service, ...fields }: AddRoute) {
      const checked = yield* decode(entity.input, { ...fields, serviceId: "" })
      const id = yield* Id.make
      const plan = Effect.map(findService(models, service), (found) => [
        add(entity.aggregate, id, { ...checked, serviceId: found.service.id }),
      ])
      yield* execute(commands, { entity: "route", name: entity.label(checked) }, plan)
      return yield* withId("route", list(), id)
    }),
    update: Effect.fn("Registry.updateRoute")(function* (key: RouteKey, { service, ...fields }: ChangeRoute) {
      const patch = yield* decode(entity.patch, fields)
      let id = ""
      const plan = Effect.gen(function* () {
        const route = yield* get(key)
        id = route.id
        const leads = service === undefined ? {} : { serviceId: (yield* findService(models, service)).service.id }
        return [update(entity.aggregate, route.id, { ...patch, ...leads })]
      })
      yield* execute(commands, { entity: "route", name: key.domain }, plan)
      return yield* withId("route", list(), id)
    }),
    remove: Effect.fn("Registry.removeRoute")(function* (key: RouteKey) {
      const plan = Effect.map(get(key), (route) => [remove(entity.aggregate, route.id)])
      return yield* execute(commands, { entity: "route", name: key.domain }, plan)
    }),
  }
}
