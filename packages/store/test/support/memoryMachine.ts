/** A machine whose file is in memory: the same log, rows and synchronisation, without what a disk costs. */
import { Commands } from "@context-engine/core/Commands"
import { Fold } from "@context-engine/core/Fold"
import { Origin } from "@context-engine/core/Origin"
import { ReadModels, type View } from "@context-engine/core/ReadModels"
import { Registry } from "@context-engine/core/services/Registry"
import { projections } from "@context-engine/core/views/all"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { isDriverError, NativeConnection, storageError } from "../../src/connection.js"
import { Database, noMemory } from "../../src/Database.js"
import * as SqlEventLog from "../../src/SqlEventLog.js"
import { migrations } from "../../src/schema.js"
import type { RemoteLog } from "../../src/sync/RemoteLog.js"
import * as SqlSync from "../../src/sync/SqlSync.js"
import { tables } from "../../src/tables.js"

/** A database in memory. `path` is only where its lock is. */
export const memoryDatabase = (
  path: string,
): { readonly connection: NativeConnection; readonly database: Database["Type"] } => {
  const connection = new NativeConnection(":memory:", 0)
  for (const migration of migrations) connection.exec(migration)
  connection.exec(`PRAGMA user_version = ${migrations.length}`)
  const attempt = <A>(body: () => A) => Effect.try({ try: body, catch: (cause) => storageError(path, cause) })
  const database = Database.of({
    path,
    read: (body) => attempt(() => body(connection)),
    write: (body) => attempt(() => connection.transact(body)),
    dedicated: Effect.succeed(connection),
    check: Effect.void,
    obstacle: Effect.succeed(null),
    memory: noMemory,
    transact: (body) => {
      try {
        return connection.transact(body)
      } catch (cause) {
        throw isDriverError(cause) ? storageError(path, cause) : cause
      }
    },
  })
  return { connection, database }
}

/** Rows asked as the tables' are, by a fold of what is in them. */
const models = (connection: NativeConnection): ReadModels["Type"] => {
  const loaded = (name: string) => {
    const fold = new Fold(projections)
    const table = tables.find((one) => one.name === name) as (typeof tables)[0]
    for (const [json] of connection.prepare(`SELECT ${table.rowAsJson} FROM "${name}"`).all()) {
      const row = JSON.parse(json)
      fold.tables.get(name)?.set(row.id, row)
    }
    return fold.readModels
  }
  const view = (key: Exclude<keyof ReadModels["Type"], "asOf">, name: string): View<any> => ({
    get: (id) => Effect.suspend(() => (loaded(name)[key] as View<any>).get(id)),
    list: (query) => Effect.suspend(() => (loaded(name)[key] as View<any>).list(query)),
  })
  return {
    servers: view("servers", "servers"),
    services: view("services", "services"),
    routes: view("routes", "routes"),
    dependencies: view("dependencies", "service_deps"),
    deployments: view("deployments", "deployments"),
    infraEvents: view("infraEvents", "infra_events"),
    secrets: view("secrets", "secrets_registry"),
    rejections: view("rejections", "rejections"),
    asOf: Effect.succeed({ position: 0, recordedAt: null }),
  }
}

const live = (database: Database["Type"], connection: NativeConnection, options: SqlSync.Options) =>
  Layer.mergeAll(Registry.layer, SqlSync.layer(options)).pipe(
    Layer.provideMerge(Commands.layer),
    Layer.provideMerge(SqlEventLog.layer(options)),
    Layer.provideMerge(Layer.succeed(ReadModels, models(connection))),
    Layer.provideMerge(Layer.succeed(Database, database)),
  )

/** `keyPath`: the key that signs, or `undefined` to sign nothing. */
export const memoryMachine = (name: string, path: string, remote: RemoteLog["Type"], keyPath: string | undefined) => {
  const { connection, database } = memoryDatabase(path)
  const runtime = ManagedRuntime.make(live(database, connection, { remote, ...(keyPath && { keyPath }) }))
  const origin = { actor: name, via: "library" as const, machine: name }
  return {
    name,
    connection,
    database,
    run: <A, E>(effect: Effect.Effect<A, E, Layer.Layer.Success<ReturnType<typeof live>>>): Promise<A> =>
      runtime.runPromise(Effect.provideService(effect, Origin, origin) as typeof effect),
    close: async () => {
      await runtime.dispose()
      connection.close()
    },
  }
}
export type MemoryMachine = ReturnType<typeof memoryMachine>
