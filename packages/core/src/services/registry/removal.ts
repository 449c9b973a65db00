/** Taking things out of the registry together with what hangs on them. */
import * as Effect from "effect/Effect"
import * as Dependency from "../../domain/Dependency.js"
import * as Route from "../../domain/Route.js"
import * as Secret from "../../domain/Secret.js"
import * as Service from "../../domain/Service.js"
import type { StorageError } from "../../Errors.js"
import type { Views } from "../../ReadModels.js"
import type { ServiceRow } from "../../views/services.js"
import { type AnyRequest, remove } from "./crud.js"

/** What hangs on some services. `uses` are others' ways of needing them; `owned` goes with them silently. */
export interface Attached {
  readonly uses: ReadonlyArray<{ readonly label: string; readonly request: AnyRequest }>
  readonly owned: ReadonlyArray<AnyRequest>
}

/** What hangs on the given services, from outside them. */
export const attachedTo = (models: Views, services: ReadonlyArray<ServiceRow>): Effect.Effect<Attached, StorageError> =>
  Effect.gen(function* () {
    const ids = services.map((service) => service.id)
    const routes = yield* models.routes.list({ where: { serviceId: ids } })
    const dependents = yield* models.dependencies.list({ where: { dependsOnServiceId: ids } })
    const own = yield* models.dependencies.list({ where: { serviceId: ids } })
    const secrets = yield* models.secrets.list({ where: { serviceId: ids } })
    const names = new Map((yield* models.services.list()).map((service) => [service.id, service.name]))
    const outside = dependents.filter((dependency) => !ids.includes(dependency.serviceId))
    return {
      uses: [
        ...routes.map((route) => ({
          label: `route ${Route.entity.label(route)}`,
          request: remove(Route.entity.aggregate, route.id),
        })),
        ...outside.map((dependency) => ({
          label: `service ${names.get(dependency.serviceId) ?? dependency.serviceId}, which depends on it`,
          request: remove(Dependency.entity.aggregate, dependency.id),
        })),
      ],
      owned: [
        ...own.map((dependency) => remove(Dependency.entity.aggregate, dependency.id)),
        ...secrets.map((secret) => remove(Secret.entity.aggregate, secret.id)),
      ],
    }
  })

/** The requests that remove some services and all that hangs on them. */
export const removeServices = (services: ReadonlyArray<ServiceRow>, attached: Attached): ReadonlyArray<AnyRequest> => [
  ...attached.uses.map((use) => use.request),
  ...attached.owned,
  ...services.map((service) => remove(Service.entity.aggregate, service.id)),
]
