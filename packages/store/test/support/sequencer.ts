/** A shared log in a local database: the statements that a libSQL server runs, in the same kind of transaction. */
import { SyncError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import { NativeConnection } from "../../src/connection.js"
import type { Rows } from "../../src/sync/protocol.js"
import type { Batch } from "../../src/sync/RemoteLog.js"

export interface Sequencer {
  readonly connection: NativeConnection
  readonly batch: Batch
}

/** A sequencer in memory, or in a file. */
export const makeSequencer = (path = ":memory:"): Sequencer => {
  const connection = new NativeConnection(path, 5000)
  const batch: Batch = (statements) =>
    Effect.suspend(() => {
      try {
        return Effect.succeed(
          connection.transact((c) =>
            statements.map(({ args, sql }): Rows => {
              if (/^\s*(select|with)/i.test(sql)) return c.prepare(sql).all(...args)
              if (args.length === 0) c.exec(sql)
              else c.prepare(sql).run(...args)
              return []
            }),
          ),
        )
      } catch (error) {
        const { message } = error as Error
        if (/no such table: (log|events)|(no such column: |no column named )(salt|digest)/.test(message))
          return Effect.succeed(null)
        return new SyncError({ reason: "protocol", message })
      }
    })
  return { connection, batch }
}
