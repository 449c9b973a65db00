/** Every view there is, in the order in which tools show them. */
import type { Projection } from "../Projection.js"
import { dependencies } from "./dependencies.js"
import { deployments } from "./deployments.js"
import { infraEvents } from "./infraEvents.js"
import { rejections } from "./rejections.js"
import { routes } from "./routes.js"
import { secrets } from "./secrets.js"
import { servers } from "./servers.js"
import { services } from "./services.js"

export const projections: ReadonlyArray<Projection> = [
  servers,
  services,
  routes,
  dependencies,
  deployments,
  infraEvents,
  secrets,
  rejections,
]
