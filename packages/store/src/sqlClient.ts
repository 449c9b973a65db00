/**
 * `SqlClient` over a connection of ours, by @effect/sql-libsql.
 *
 * The only module that imports that package. It depends on an older libSQL of its own, and two natives in one process lose writes
 * (`native.ts`). So the build puts its code into this module (`scripts/build/sqlClient.mjs`), and nobody who installs the store installs it.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import type { Client } from "@libsql/client/sqlite3"
import type * as Layer from "effect/Layer"

/** The client stays the caller's: it is not closed with the layer. */
export const layer = (liveClient: Client): Layer.Layer<SqlClient> => LibsqlClient.layer({ liveClient })
