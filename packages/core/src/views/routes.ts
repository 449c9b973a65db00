/** The `routes` view. */
import { entity, type Route } from "../domain/Route.js"
import { type EntityRow, entityView } from "./entityView.js"

export type RouteRow = Route & EntityRow

export const routes = entityView<"Route", Route, object>({
  name: "routes",
  version: 1,
  entity,
  stream: "route",
  unique: [["domain", "path", "method"]],
  initial: {},
  onFact: (row) => row,
})
