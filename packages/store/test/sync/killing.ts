/** Machines that work and synchronise, and are killed at random moments; and so is the server between them. */
import { join } from "node:path"
import * as Redacted from "effect/Redacted"
import { remoteLog } from "../../src/sync/http.js"
import type { Setting } from "../durability/setting.js"
import { beginLog, eventsOf, type Machine, machine, rowsHash, sync, verify } from "../support/machines.js"
import { randomFrom } from "../support/random.js"
import { startSqld } from "../support/sqld.js"

export interface Killing extends Setting {
  readonly seed: number
  readonly kills: number
  readonly onProgress?: (kills: number, events: number) => void
}

export interface Killed {
  readonly clients: number
  readonly servers: number
  readonly events: number
  readonly acknowledged: number
  readonly problems: ReadonlyArray<string>
}

/** Kills until enough have died, and asks whether all that was acknowledged anywhere is in the one log in the end. */
export const killSyncers = async ({ directory, kills, onProgress, seed, workers }: Killing): Promise<Killed> => {
  const random = randomFrom(seed)
  const server = await startSqld()
  const token = Redacted.value(server.token())
  const names = ["a", "b", "c"]
  const start = (name: string) =>
    workers.start("sync", join(directory, `${name}.db`), server.url, token, random.below(2 ** 30), name)
  await begin(directory, names, remoteLog({ url: server.url, token: server.token() }))
  const acknowledged = new Set<string>()
  const died = { clients: 0, servers: 0 }
  const running = new Map(names.map((name) => [name, start(name)]))
  const kill = async (name: string) => {
    const worker = running.get(name)
    if (worker === undefined) return
    await workers.kill(worker)
    for (const [id] of worker.acknowledged) acknowledged.add(id)
    running.delete(name)
    died.clients += 1
  }
  while (died.clients + died.servers < kills) {
    await delay(random.next() * 250)
    if (random.next() < 0.35) {
      await server.kill()
      await delay(random.next() * 100)
      await server.start()
      died.servers += 1
    } else {
      const name = random.pick(names)
      if (random.next() < 0.8) await running.get(name)?.hear("ready")
      await delay(random.next() * 100)
      await kill(name)
      running.set(name, start(name))
    }
    onProgress?.(died.clients + died.servers, acknowledged.size)
  }
  for (const name of names) await kill(name)
  const problems = await judge(directory, names, remoteLog({ url: server.url, token: server.token() }), acknowledged)
  const events = eventsOf(join(directory, "a.db")).length
  await server.close()
  return { ...died, events, acknowledged: acknowledged.size, problems }
}

/** The first machine is the root of the log, and makes it; the others are enrolled beside it. */
const begin = async (directory: string, names: ReadonlyArray<string>, remote: ReturnType<typeof remoteLog>) => {
  const machines = names.map((name) => machine(name, remote, { path: join(directory, `${name}.db`) }))
  const [root, ...others] = machines as [Machine, ...Array<Machine>]
  await beginLog(root, ...others)
  await sync(root)
  for (const one of machines) await one.close()
}

const judge = async (
  directory: string,
  names: ReadonlyArray<string>,
  remote: ReturnType<typeof remoteLog>,
  acknowledged: ReadonlySet<string>,
): Promise<ReadonlyArray<string>> => {
  const problems: Array<string> = []
  const machines = names.map((name) => machine(name, remote, { path: join(directory, `${name}.db`) }))
  for (const one of [...machines, ...machines]) await sync(one)
  const [first] = machines as [(typeof machines)[0]]
  const log = eventsOf(first.path)
  for (const one of machines) {
    if (JSON.stringify(eventsOf(one.path)) !== JSON.stringify(log)) problems.push(`${one.name} has another log`)
    if (rowsHash(one.path) !== rowsHash(first.path)) problems.push(`${one.name} has other rows`)
    const { findings } = await verify(one)
    problems.push(...findings.map(({ message }) => `${one.name}: ${message}`))
  }
  const there = new Map<string, number>()
  const count = (id: string) => there.set(id, (there.get(id) ?? 0) + 1)
  for (const row of log) {
    count(row[1])
    if (row[4] === "CommandRejected") for (const { id } of JSON.parse(row[6]).events) count(id)
  }
  for (const id of acknowledged) if (!there.has(id)) problems.push(`${id} was acknowledged and is lost`)
  for (const [id, times] of there) if (times > 1) problems.push(`${id} is there ${times} times`)
  for (const one of machines) await one.close()
  return problems
}

const delay = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
