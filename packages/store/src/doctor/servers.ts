/** The registered servers, for checks of the way to them. */
import type { ServerRow } from "@context-engine/core/views/servers"
import type * as Effect from "effect/Effect"
import { tables } from "../tables.js"
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
