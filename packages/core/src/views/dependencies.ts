/** The `service_deps` view. */
import { type Dependency, entity } from "../domain/Dependency.js"
import { type EntityRow, entityView } from "./entityView.js"

export type DependencyRow = Dependency & EntityRow

export const dependencies = entityView<"Dependency", Dependency, object>({
  name: "service_deps",
  version: 1,
  entity,
  stream: "dependency",
  unique: [
    ["serviceId", "dependsOnServiceId"],
    ["serviceId", "dependsOnExternal"],
  ],
  initial: {},
  onFact: (row) => row,
})
