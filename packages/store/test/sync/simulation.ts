/** Some machines, one shared log and a bad network, all from one seed; and what must hold of them in the end. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { NativeConnection } from "../../src/connection.js"
import { columns, type EventRow } from "../../src/record.js"
import { make } from "../../src/sync/RemoteLog.js"
import { tables } from "../../src/tables.js"
import { checkGuards, compareRows, Walk } from "../../src/verify.js"
import { anyCommand } from "../support/commands.js"
import { type MemoryMachine, memoryMachine } from "../support/memoryMachine.js"
import { makeNetwork } from "../support/network.js"
import { nowOrJoin } from "../support/nowOrJoin.js"
import { type Random, randomFrom } from "../support/random.js"
import { makeSequencer } from "../support/sequencer.js"

export interface Simulated {
  readonly problems: ReadonlyArray<string>
  readonly events: number
  readonly acknowledged: number
  readonly refused: number
  readonly moot: number
}

/** In memory where the system has such a place: the machines' locks are files. */
const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir()

const keys = mkdtempSync(join(place, "context-simulation-keys-"))
process.once("exit", () => rmSync(keys, { recursive: true, force: true }))

/** Runs a whole story. Every choice in it comes from the seed. What it dies of is a problem like any other. */
export const simulate = async (seed: number): Promise<Simulated> => {
  try {
    return await tell(seed)
  } catch (error) {
    const problem = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { problems: [`the story broke off: ${problem}`], events: 0, acknowledged: 0, refused: 0, moot: 0 }
  }
}

const tell = async (seed: number): Promise<Simulated> => {
  const random = randomFrom(seed)
  const directory = mkdtempSync(join(place, "context-simulation-"))
  const sequencer = makeSequencer()
  const acknowledged = new Map<string, string>()
  const machines: Array<MemoryMachine> = []
  let depth = 0
  const meanwhile = async (name: string) => {
    if (depth >= 3) return
    depth += 1
    const own = machines.find((one) => one.name === name) as MemoryMachine
    // Its own commands go on while it synchronises, and so does everything on other machines.
    if (random.next() < 0.5) await command(own, random, acknowledged)
    else await step(random.pick(machines), random, acknowledged)
    depth -= 1
  }
  const network = makeNetwork(random, sequencer.batch, meanwhile)
  const signed = seed % 8 === 0
  const count = 2 + random.below(3)
  for (let i = 0; i < count; i++) {
    const name = `m${i}`
    const keyPath = signed ? join(keys, `${name}.key`) : undefined
    machines.push(memoryMachine(name, join(directory, name), make("memory", network.link(name)), keyPath))
  }
  const steps = 20 + random.below(60)
  for (let i = 0; i < steps; i++) {
    if (random.next() < 0.1) network.partition(random.pick(machines).name, random.next() < 0.6)
    await step(random.pick(machines), random, acknowledged)
  }
  await network.calm()
  // Once to push and learn, once to learn what the last one pushed.
  for (const one of [...machines, ...machines]) await one.run(nowOrJoin)
  const simulated = judge(machines, sequencer.connection, acknowledged)
  for (const one of machines) await one.close()
  sequencer.connection.close()
  rmSync(directory, { recursive: true })
  return simulated
}

const step = async (machine: MemoryMachine, random: Random, acknowledged: Map<string, string>) => {
  if (random.next() < 0.75) return command(machine, random, acknowledged)
  await machine.run(Effect.either(nowOrJoin))
}

/** Gives a command; what it appended was acknowledged. */
const command = async (machine: MemoryMachine, random: Random, acknowledged: Map<string, string>) => {
  const before = new Map(waiting(machine.connection))
  await machine.run(Effect.either(anyCommand(random)))
  for (const [id, type] of waiting(machine.connection)) if (!before.has(id)) acknowledged.set(id, type)
}

/** What a command appends is part of the tail: no synchronisation comes between. */
const waiting = (connection: NativeConnection): ReadonlyArray<[id: string, type: string]> =>
  connection.prepare("SELECT id, type FROM events WHERE position > (SELECT position FROM sync)").all()

const logOf = (connection: NativeConnection) =>
  connection.prepare(`SELECT ${columns} FROM events ORDER BY position`).all() as ReadonlyArray<EventRow>

const rowsOf = (connection: NativeConnection): string =>
  JSON.stringify(
    tables.map((table) => connection.prepare(`SELECT ${table.rowAsJson} FROM "${table.name}" ORDER BY id`).all()),
  )

/** Where two texts part, with a little of both. */
const firstDifference = (a: string, b: string): string => {
  const at = [...a].findIndex((character, index) => character !== b[index])
  return `${a.slice(Math.max(0, at - 300), at + 60)} ≠ ${b.slice(at, at + 60)}`
}

const isFact = (type: string): boolean => !/(Added|Updated|Renamed|Removed)$/.test(type)

const judge = (
  machines: ReadonlyArray<MemoryMachine>,
  sequencer: NativeConnection,
  acknowledged: ReadonlyMap<string, string>,
): Simulated => {
  const problems: Array<string> = []
  const log = logOf(sequencer)
  const [first] = machines as [MemoryMachine]
  const rows = rowsOf(first.connection)
  for (const { connection, name } of machines) {
    if (JSON.stringify(logOf(connection)) !== JSON.stringify(log)) problems.push(`${name} has another log`)
    if (rowsOf(connection) !== rows)
      problems.push(`${name} has other rows: ${firstDifference(rowsOf(connection), rows)}`)
  }
  // Gapless, chained, signed, and the rows that live are those folded anew.
  const walk = new Walk()
  for (const row of log) walk.next(row)
  walk.end()
  checkGuards(first.connection, walk)
  compareRows(first.connection, walk)
  problems.push(...walk.findings.map(({ message }) => message))
  const inLog = new Set(log.map((row) => row[1]))
  const rejected = new Set<string>()
  let refused = 0
  let moot = 0
  const visible = new Set(
    first.connection
      .prepare("SELECT id FROM rejections")
      .all()
      .map(([id]) => id),
  )
  for (const row of log.filter((one) => one[4] === "CommandRejected")) {
    const { events, outcome } = JSON.parse(row[6])
    if (outcome === "refused") refused += 1
    else moot += 1
    for (const { id } of events) {
      if (rejected.has(id) || inLog.has(id)) problems.push(`${id} is in the log twice`)
      rejected.add(id)
    }
    if (!visible.has(events[0].id)) problems.push(`the rejection of ${events[0].id} is not visible`)
  }
  for (const [id, type] of acknowledged) {
    if (!inLog.has(id) && !rejected.has(id)) problems.push(`${type} ${id} was acknowledged and is lost`)
    if (isFact(type) && !inLog.has(id)) problems.push(`the fact ${type} ${id} is lost`)
  }
  problems.push(...brokenRules(first.connection))
  return { problems, events: log.length, acknowledged: acknowledged.size, refused, moot }
}

/** What the registry promises of its rows, asked of the tables. */
const brokenRules = (connection: NativeConnection): ReadonlyArray<string> => {
  const rules = {
    "two servers of one name": "SELECT 1 FROM servers GROUP BY name HAVING count(*) > 1",
    "two services of one name": "SELECT 1 FROM services GROUP BY name, server_id HAVING count(*) > 1",
    "a service without its server": "SELECT 1 FROM services WHERE server_id NOT IN (SELECT id FROM servers)",
    "a route to nothing": "SELECT 1 FROM routes WHERE service_id NOT IN (SELECT id FROM services)",
    "a secret of nothing":
      "SELECT 1 FROM secrets_registry WHERE service_id IS NOT NULL AND service_id NOT IN (SELECT id FROM services) OR service_id IS NULL AND server_id IS NOT NULL AND server_id NOT IN (SELECT id FROM servers)",
    "a dependency of nothing": "SELECT 1 FROM service_deps WHERE service_id NOT IN (SELECT id FROM services) OR depends_on_service_id IS NOT NULL AND depends_on_service_id NOT IN (SELECT id FROM services)", // biome-ignore format: one rule
    "a cycle of required dependencies": `WITH RECURSIVE reached (start, node) AS (
      SELECT service_id, depends_on_service_id FROM service_deps WHERE required = 1
      UNION SELECT start, depends_on_service_id FROM reached JOIN service_deps ON service_id = node AND required = 1
    ) SELECT 1 FROM reached WHERE start = node`,
  }
  return Object.entries(rules).flatMap(([rule, sql]) => (connection.prepare(sql).all().length > 0 ? [rule] : []))
}
