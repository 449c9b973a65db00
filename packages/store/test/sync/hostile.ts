/** Who is hostile in a simulated story: a forger with the token, and a sequencer that lies. */
import * as Effect from "effect/Effect"
import { insertRows } from "../../src/append.js"
import type { NativeConnection } from "../../src/connection.js"
import { columns, digestOf, type EventRow } from "../../src/record.js"
import type { Signer } from "../../src/Signer.js"
import type { Batch } from "../../src/sync/RemoteLog.js"
import { serverAdded } from "../support/events.js"
import {
  disguises,
  draft,
  payload,
  payloads,
  placed,
  resigned,
  rewritten,
  signed,
  slipIn,
  type Target,
} from "../support/forger.js"
import type { Random } from "../support/random.js"
import { makeSequencer, type Sequencer } from "../support/sequencer.js"

/** What a forger is given: the shared log, and keys that it got hold of after they were revoked. */
export interface Forger {
  readonly random: Random
  readonly log: NativeConnection
  /** Machines that may write; their private halves are not used. */
  readonly enrolled: ReadonlyArray<Signer>
  readonly revoked: ReadonlyArray<Signer>
  /** The ids of what it appended. */
  readonly forged: Set<string>
  /** The ids of what it appended with the key of a machine that is enrolled. */
  readonly careless: Set<string>
}

export const rowsOf = (connection: NativeConnection): ReadonlyArray<EventRow> =>
  connection.prepare(`SELECT ${columns} FROM events ORDER BY position`).all() as ReadonlyArray<EventRow>

/**
 * Appends something that must count for nothing; or, with the key of a machine that is enrolled, what that machine would never
 * have written. Does nothing while there is nothing to pretend to be of.
 */
export const forge = ({ careless, enrolled, forged, log, random, revoked }: Forger, key?: Signer): void => {
  const rows = rowsOf(log)
  const root = rows.find((row) => row[4] === "RootEstablished")
  const server = rows.find((row) => row[4] === "ServerAdded" && !forged.has(row[1]))
  if (root === undefined || server === undefined) return
  const victim = random.pick(enrolled)
  const name = JSON.parse(server[6]).name
  const target: Target = { root: root[1], victim, server: { stream: server[2], name } }
  if (key !== undefined) {
    for (const id of slipIn(log, nonsense(random, target, key))) careless.add(id)
    return
  }
  const others = rows.filter((row) => row[13] !== null && row[4] !== "RootEstablished" && !forged.has(row[1]))
  const choices = [
    () => (random.pick(Object.values(disguises)) as (typeof disguises)[string])(target),
    () => payload(random.pick(Object.keys(payloads)), target),
    // As a machine that claims to be enrolled.
    () => payload(random.pick(Object.keys(payloads)), target).map((row) => rewritten(row, { signature: "AAAA" })),
    // What a machine signed once, under a new id and another one's place.
    () => (others.length === 0 ? [] : [rewritten(random.pick(others), { id: draft().id })]),
    // Its own key, for another log.
    () => resigned(signed([draft()], victim, target.root), victim, "another-root"),
    () => (revoked.length === 0 ? [] : signed([draft(), draft()], random.pick(revoked), target.root)),
  ]
  const chosen = (random.pick(choices) as () => ReadonlyArray<EventRow>)()
  for (const id of random.next() < 0.2 ? slipInUnchained(log, chosen) : slipIn(log, chosen)) forged.add(id)
}

/** The same under hashes that follow from nothing. */
const slipInUnchained = (log: NativeConnection, rows: ReadonlyArray<EventRow>): ReadonlyArray<string> => {
  const made = placed(log, rows).map((row) => row.with(10, digestOf("no chain", row[1])) as unknown as EventRow)
  insertRows(log, made)
  return made.map((row) => row[1])
}

/** Signed as it should be, and of whatever content: units that clash with each other and with what is there, and give way again. */
const nonsense = (random: Random, target: Target, key: Signer): ReadonlyArray<EventRow> => {
  const { server } = target
  const removed = draft({ stream: server.stream, type: "ServerRemoved", body: { name: server.name } })
  const renamed = draft({ stream: server.stream, type: "ServerRenamed", body: { from: server.name, to: `other-${removed.id}` } }) // biome-ignore format: one line
  const doubled = draft({ body: serverAdded(server.name).data })
  const units = [[doubled], [removed], [renamed], [doubled, removed], [removed, { ...doubled, id: `${doubled.id}0` }]]
  if (random.next() < 0.5) {
    const names = Object.keys(payloads).filter((name) => !/member|request|root|key|digest/.test(name))
    return payload(random.pick(names), target, key)
  }
  const chosen = [random.pick(units), random.next() < 0.5 ? [renamed] : [removed]]
  const seen = new Set<string>()
  return chosen.flatMap((unit) => {
    const fresh = unit.filter(({ id }) => !seen.has(id))
    for (const { id } of fresh) seen.add(id)
    return fresh.length === 0 ? [] : signed(fresh, key, target.root)
  })
}

/** A server that shows older states, and takes what it then does not have. */
export interface Liar {
  readonly batch: Batch
  /** How often it lied. */
  readonly lies: number
  /** From now on it tells what it has. */
  readonly stop: () => void
  /** Shows another log in the place of its own. */
  readonly redirect: (to: Sequencer | undefined) => void
}

/** The ids of what it makes up go into `forged`. */
export const makeLiar = (
  random: Random,
  { batch, connection }: Sequencer,
  lying: boolean,
  forged: Set<string> = new Set(),
): Liar => {
  let lies = 0
  let on = lying
  let shown: Sequencer | undefined
  const lie: Batch = (statements, mode) =>
    Effect.suspend(() => {
      const [begun] = connection.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'log'").get()
      const rows = begun === 0 ? [] : rowsOf(connection)
      if (rows.length === 0) return batch(statements, mode)
      lies += 1
      // What it is given now is told as taken, and it is not kept.
      const shadow = shadowOf(connection, mode === "write" ? rows : rows.slice(0, 1 + random.below(rows.length)))
      return Effect.ensuring(
        shadow.batch(statements, mode),
        Effect.sync(() => {
          if (random.next() < 0.5) copySignature(rowsOf(shadow.connection).slice(rows.length))
          shadow.connection.close()
        }),
      )
    })
  /** It has seen what was signed before anybody else: it puts a copy of the signature before what bears it. */
  const copySignature = (pushed: ReadonlyArray<EventRow>): void => {
    if (pushed.length === 0) return
    const copy = rewritten(random.pick(pushed), { id: draft().id })
    for (const id of slipIn(connection, [copy])) forged.add(id)
  }
  return {
    batch: (statements, mode) => {
      if (shown !== undefined) return shown.batch(statements, mode)
      // What it would gain most by losing.
      const revokes = statements.some(({ args }) => args.some((text) => String(text).includes('"MachineRevoked"')))
      return on && random.next() < (revokes ? 0.5 : 0.05) ? lie(statements, mode) : batch(statements, mode)
    },
    redirect: (to) => {
      shown = to
    },
    get lies() {
      return lies
    },
    stop: () => {
      on = false
    },
  }
}

/** A shared log of some rows, as a server might show it: chained anew where need be. */
export const shadowOf = (log: NativeConnection, rows: ReadonlyArray<EventRow>): Sequencer => {
  const shadow = makeSequencer()
  for (const [sql] of log.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").all())
    shadow.connection.exec(sql)
  const [logId, schema, at] = log.prepare("SELECT log_id, schema, created_at FROM log").get()
  shadow.connection.prepare("INSERT INTO log VALUES (?, ?, ?)").run(logId, schema, at)
  if (rows.length > 0) slipIn(shadow.connection, rows)
  return shadow
}
