/** What a scan found against what the registry says of that server: new, changed and gone, each with its evidence. Pure. */
import type { Candidates } from "./candidates.js"
import { compareDependencies, compareRoutes } from "./compareEdges.js"
import { compareServices } from "./compareServices.js"
import type { Finding, Known } from "./finding.js"
import type { Seen } from "./seen.js"

/** The differences, services first, and how many things are as registered. */
export interface Comparison {
  readonly findings: ReadonlyArray<Finding>
  readonly unchanged: number
}

export const compare = (found: Candidates, seen: Seen, known: Known): Comparison => {
  const services = compareServices(found.services, seen, known)
  const routes = compareRoutes(found.routes, services.refs, seen, known)
  const dependencies = compareDependencies(found.dependencies, services.refs, known)
  const parts = [services, routes, dependencies]
  return {
    findings: parts.flatMap((part) => part.findings),
    unchanged: parts.reduce((sum, part) => sum + part.unchanged, 0),
  }
}
