/** The registered servers, for checks of the way to them. */
import type { ServerRow } from "@context-engine/core/views/servers"
import type * as Effect from "effect/Effect"
import { tables } from "../tables.js"
import { readMembership } from "../trust/membership.js"
import { readNames } from "../trust/names.js"
import { glance } from "./look.js"

/** The rows as the file has them; `undefined` if they cannot be read. */
export const servers = (database: string): Effect.Effect<ReadonlyArray<ServerRow> | undefined> =>
  glance(database, (connection) => {
    const table = tables.find(({ name }) => name === "servers") as (typeof tables)[number]
    return connection
      .prepare(`SELECT ${table.rowAsJson} FROM servers ORDER BY name`)
      .all()
      .map(([row]) => JSON.parse(row))
  })

/** What the log calls machines, and those that are enrolled now, both by the ids of their keys. */
export interface Known {
  readonly names: ReadonlyMap<string, string>
  readonly enrolled: ReadonlySet<string>
}

export const machines = (database: string): Effect.Effect<Known | undefined> =>
  glance(database, (connection) => {
    const { machines } = readMembership(connection)
    const enrolled = [...machines.values()].filter(({ status }) => status === "enrolled")
    return { names: readNames(connection), enrolled: new Set(enrolled.map(({ machineId }) => machineId)) }
  })
