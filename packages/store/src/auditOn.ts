/** A whole audit on one connection, of the log as it is at one moment, as far as a limit of time goes. */
import type { AuditReport, Progress } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import type { NativeConnection } from "./connection.js"
import { columns, type EventRow } from "./record.js"
import { readHead } from "./standing.js"
import { claimedKey } from "./trust/chain.js"
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
  readonly withheld: AuditReport["withheld"]
}

/** The walk counts what it takes from this machine unjudged as unsigned: what of that has a signature is told apart here. */
class Withheld {
  #events = 0
  #last: EventRow | undefined
  #revoked = false

  constructor(readonly walk: Walk) {}

  /** A signature is judged when the next one begins: what is counted then is of the row before. `undefined` ends the walk. */
  next(row: EventRow | undefined): void {
    const { membership, unsigned } = this.walk
    if (row === undefined) this.walk.end()
    else this.walk.next(row)
    const more = this.walk.unsigned - unsigned
    if (more > 0 && this.#last !== undefined && this.#last[11] !== null) {
      this.#events += more
      this.#revoked = membership.machines.get(claimedKey(this.#last) ?? "")?.status === "revoked"
    }
    this.#last = row
  }

  get found(): AuditReport["withheld"] {
    return { events: this.#events, because: this.#revoked ? "revoked" : "waiting" }
  }
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
    const withheld = new Withheld(walk)
    while (walk.events === 0 || walk.head.position < total) {
      const found = yield* attempt(() => step(connection, withheld))
      yield* onProgress?.({ done: walk.events, total }) ?? Effect.void
      if (found < page) break
      if (walk.head.position < total && performance.now() - started > budget)
        return { walk, total, rows: undefined, withheld: withheld.found } as Audited
      yield* Effect.sleep(0)
    }
    const compared = yield* attempt(() => finish(connection, withheld, rows, own))
    return { walk, total, rows: compared, withheld: withheld.found } as Audited
  }).pipe(Effect.ensuring(Effect.sync(() => connection.rollback())))

const begin = (connection: NativeConnection) => {
  connection.exec("BEGIN")
  const walk = new Walk(readSetting(connection))
  return { walk, total: readHead(connection).position }
}

const step = (connection: NativeConnection, withheld: Withheld): number => {
  const found = connection
    .prepare(`SELECT ${columns} FROM events WHERE position > ? ORDER BY position LIMIT ${page}`)
    .all(withheld.walk.head.position) as ReadonlyArray<EventRow>
  for (const row of found) withheld.next(row)
  return found.length
}

const finish = (
  connection: NativeConnection,
  withheld: Withheld,
  rows: boolean,
  own?: ReadonlyArray<string>,
): number | undefined => {
  const { walk } = withheld
  withheld.next(undefined)
  checkGuards(connection, walk, own)
  return rows ? compareRows(connection, walk) : undefined
}
