/** Machines of one test: each with a file, a key and a name of its own. */

import { createHash } from "node:crypto"
import { rmSync } from "node:fs"
import { setImmediate as turn } from "node:timers/promises"
import { Origin } from "@context-engine/core/Origin"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Audit } from "@context-engine/core/services/Audit"
import { Machines } from "@context-engine/core/services/Machines"
import { Registry } from "@context-engine/core/services/Registry"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { Database } from "../../src/Database.js"
import { layer } from "../../src/layer.js"
import type { MemoryOptions } from "../../src/memory/LogMemory.js"
import type { EventRow } from "../../src/record.js"
import { columns } from "../../src/record.js"
import { loadSigner, type Signer } from "../../src/Signer.js"
import * as SqlAudit from "../../src/SqlAudit.js"
import * as SqlMachines from "../../src/SqlMachines.js"
import type { RemoteLog } from "../../src/sync/RemoteLog.js"
import * as SqlSync from "../../src/sync/SqlSync.js"
import { tables } from "../../src/tables.js"
import { fingerprint } from "../../src/trust/keys.js"
import { audited } from "./audited.js"
import { approveAll, establish } from "./enrolment.js"
import { freshPath, withSqlite } from "./files.js"
import { nowOrJoin } from "./nowOrJoin.js"

const live = (
  path: string,
  keyPath: string | undefined,
  remote: RemoteLog["Type"] | undefined,
  memory?: MemoryOptions,
) => {
  const options = { ...(keyPath && { keyPath }), ...(remote && { remote }) }
  return Layer.mergeAll(Registry.layer, SqlAudit.layerWith(options), SqlSync.layer(options)).pipe(
    Layer.provideMerge(layer(path, { ...(keyPath && { keyPath }), memory })),
  )
}
type Live = Layer.Layer.Success<ReturnType<typeof live>>

export interface Machine {
  readonly name: string
  readonly path: string
  readonly run: <A, E>(effect: Effect.Effect<A, E, Live>) => Promise<A>
  readonly close: () => Promise<void>
}

/** A machine that works on a file. Its key is beside it, unless it is to sign nothing. */
export const machine = (
  name: string,
  remote: RemoteLog["Type"] | undefined,
  {
    memory,
    path = freshPath(),
    signed = true,
  }: { readonly path?: string; readonly signed?: boolean; readonly memory?: MemoryOptions } = {},
): Machine => {
  audited(path)
  const runtime = ManagedRuntime.make(live(path, signed ? `${path}.key` : undefined, remote, memory))
  const origin = { actor: name, via: "library" as const, machine: name }
  return {
    name,
    path,
    // All that a machine does on its file is done at once: the event loop turns before (see scripts/testTurns.ts).
    run: (effect) =>
      turn().then(() => runtime.runPromise(Effect.provideService(effect, Origin, origin) as typeof effect)),
    close: () => runtime.dispose(),
  }
}

/** The machine goes on with another key: the one that it had is lost. */
export const withNewKey = async (old: Machine, remote: RemoteLog["Type"] | undefined): Promise<Machine> => {
  await old.close()
  rmSync(`${old.path}.key`)
  return machine(old.name, remote, { path: old.path })
}

/** The key of a machine, under its name. */
export const signerOf = ({ name, path }: Machine): Signer => ({ ...loadSigner(`${path}.key`), name })

/** Begins a log on a machine's empty file: its key is the root, and the others are enrolled beside it. One event. */
export const beginLog = (root: Machine, ...others: ReadonlyArray<Machine>): Promise<string> =>
  root.run(
    Effect.flatMap(Database, (database) =>
      database.write((connection) => establish(connection, signerOf(root), others.map(signerOf))),
    ),
  )

export const sync = (of: Machine) => of.run(nowOrJoin())
/** The same where it may fail: with what it did, or why it did not. */
export const attempt = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => Effect.either(service.now())))
/** Why a machine cannot synchronise. */
export const failure = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => Effect.flip(service.now())))
export const heal = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => service.heal()))
export const rejected = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => service.rejected))
export const status = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => service.status))
export const verify = (of: Machine) => of.run(Effect.flatMap(Audit, (audit) => audit.verify()))

/** A command, given whether or not it is refused. */
export const give = (of: Machine, command: (registry: Registry["Type"]) => Effect.Effect<unknown, unknown>) =>
  of.run(Effect.flatMap(Registry, (service) => Effect.either(command(service))))

export const add = (of: Machine, name: string) => give(of, (registry) => registry.servers.add({ name }))

/** Asks, or decides, who may write to a machine's log. */
export const machines = <A, E>(of: Machine, use: (service: Machines["Type"]) => Effect.Effect<A, E, never>) =>
  of.run(Effect.flatMap(Machines, use).pipe(Effect.provide(SqlMachines.layer({ keyPath: `${of.path}.key` }))))

/** A person on a machine takes another's root for the right one. */
export const trust = (of: Machine, root: Machine) =>
  machines(of, (service) => service.trust(fingerprint(signerOf(root).publicKey)))

/** An admin lets in all machines that wait. Gives how many. */
export const approve = (of: Machine) =>
  of.run(
    Effect.flatMap(Database, (database) =>
      Effect.flatMap(
        database.read((c) => c),
        approveAll,
      ),
    ),
  )

/** The names of the servers that a machine knows, in their order. */
export const servers = (of: Machine) =>
  of.run(
    Effect.flatMap(ReadModels, (models) =>
      Effect.map(models.servers.list(), (rows) => rows.map(({ name }) => name).sort()),
    ),
  )

/** Every event of a file, as any SQLite program would see it. */
export const eventsOf = (path: string): ReadonlyArray<EventRow> =>
  withSqlite(path, (database) =>
    database
      .prepare(`SELECT ${columns} FROM events ORDER BY position`)
      .all()
      .map((row) => Object.values(row).slice(0, columns.split(",").length)),
  ) as any

/** One hash over all rows of all views: equal for equal rows. */
export const rowsHash = (path: string): string => {
  const hash = createHash("sha256")
  withSqlite(path, (database) => {
    for (const table of tables) {
      for (const row of database.prepare(`SELECT ${table.rowAsJson} AS row FROM "${table.name}" ORDER BY id`).all())
        hash.update(row.row)
    }
  })
  return hash.digest("hex")
}
