/** A whole audit on one connection, of the log as it is at one moment, as far as a limit of time goes. */
import type { Progress } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import type { NativeConnection } from "./connection.js"
import { columns, type EventRow } from "./record.js"
import { readHead } from "./standing.js"
import { Walk } from "./verify.js"
import { checkGuards, compareRows } from "./verifyFile.js"
import { readSetting } from "./verifySetting.js"

export interface Options {
  /** After so many milliseconds the walk ends where it is. Default: never. */
  readonly budget?: number
  /** Whether the rows are those of this version's views, so that they can be compared. Default true. */
  readonly rows?: boolean
  /** What the program that uses this library keeps in the file beside the log. */
  readonly own?: ReadonlyArray<string>
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined
}

/** How far it came: `rows` is how many were compared, `undefined` where the walk did not reach the end or they cannot be. */
export interface Audited {
  readonly walk: Walk
  readonly total: number
  readonly rows: number | undefined
}

const page = 500

/** Changes nothing, and lets others have their turn between two pages. Fails with what the driver says of the file. */
export const auditOn = (
  connection: NativeConnection,
  { budget = Number.POSITIVE_INFINITY, onProgress, own, rows = true }: Options = {},
) =>
  Effect.gen(function* () {
    const started = performance.now()
    const attempt = <A>(body: () => A) => Effect.try({ try: body, catch: (cause) => cause })
    const { total, walk } = yield* attempt(() => begin(connection))
    while (walk.events === 0 || walk.head.position < total) {
      const found = yield* attempt(() => step(connection, walk))
      yield* onProgress?.({ done: walk.events, total }) ?? Effect.void
      if (found < page) break
      if (walk.head.position < total && performance.now() - started > budget)
        return { walk, total, rows: undefined } as Audited
      yield* Effect.sleep(0)
    }
    const compared = yield* attempt(() => finish(connection, walk, rows, own))
    return { walk, total, rows: compared } as Audited
  }).pipe(Effect.ensuring(Effect.sync(() => connection.rollback())))

const begin = (connection: NativeConnection) => {
  connection.exec("BEGIN")
  const walk = new Walk(readSetting(connection))
  return { walk, total: readHead(connection).position }
}

const step = (connection: NativeConnection, walk: Walk): number => {
  const found = connection
    .prepare(`SELECT ${columns} FROM events WHERE position > ? ORDER BY position LIMIT ${page}`)
    .all(walk.head.position) as ReadonlyArray<EventRow>
  for (const row of found) walk.next(row)
  return found.length
}

const finish = (
  connection: NativeConnection,
  walk: Walk,
  rows: boolean,
  own?: ReadonlyArray<string>,
): number | undefined => {
  walk.end()
  checkGuards(connection, walk, own)
  return rows ? compareRows(connection, walk) : undefined
}
