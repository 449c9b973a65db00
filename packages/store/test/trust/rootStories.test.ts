/**
 * A machine begins a root because the first one's key is lost, while others write, the server is put back to what it was, and who
 * has the lost key goes on. In any order: the root stays the root of who accepted it, and nothing that they wrote is lost.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Machines } from "@context-engine/core/services/Machines"
import { Registry } from "@context-engine/core/services/Registry"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { auditOn } from "../../src/auditOn.js"
import type { NativeConnection } from "../../src/connection.js"
import { columns } from "../../src/record.js"
import { loadSigner } from "../../src/Signer.js"
import * as SqlMachines from "../../src/SqlMachines.js"
import { make } from "../../src/sync/RemoteLog.js"
import { readMembership } from "../../src/trust/membership.js"
import { establish } from "../support/enrolment.js"
import { memoryMachine } from "../support/memoryMachine.js"
import { type Random, randomFrom, seedOf } from "../support/random.js"
import { makeSequencer } from "../support/sequencer.js"

const milliseconds = 4_000
const atLeast = 10

const eventsOf = (connection: NativeConnection) =>
  connection.prepare(`SELECT ${columns} FROM events ORDER BY position`).all()

/** The server's disk is put back to what it was. */
const putBack = (log: NativeConnection, position: number): void => {
  const [guard] = log.prepare("SELECT sql FROM sqlite_schema WHERE name = 'events_no_delete'").get()
  log.exec(`DROP TRIGGER events_no_delete; DELETE FROM events WHERE position > ${position}; ${guard}`)
}

const play = (name: string, directory: string, batch: ReturnType<typeof makeSequencer>["batch"]) => {
  const keyPath = join(directory, `${name}.key`)
  const signer = { ...loadSigner(keyPath), name }
  const machine = memoryMachine(name, join(directory, name), make("memory", batch), keyPath)
  const machines = <A, E>(use: (service: Machines["Type"]) => Effect.Effect<A, E>) =>
    machine.run(Effect.either(Effect.flatMap(Machines, use).pipe(Effect.provide(SqlMachines.layer({ keyPath })))))
  return { ...machine, signer, machines }
}
type Player = ReturnType<typeof play>

/** As a person does it who reads what is said: what fails because of the server is healed. */
const sync = (one: Player) =>
  one.run(
    Effect.flatMap(Sync, (service) =>
      Effect.either(
        Effect.catchIf(
          service.now(),
          ({ reason }) => ["reset", "rolled-back", "damaged"].includes(reason),
          () => service.heal(),
        ),
      ),
    ),
  )

const trustAll = async (one: Player, by: Player): Promise<void> => {
  const found = await one.machines((service) => service.list)
  const roots = found._tag === "Right" ? found.right.pendingRoots : []
  const { right: own } = (await by.machines((service) => service.list)) as any
  const print = own.machines.find(({ here }: { readonly here: boolean }) => here).fingerprint
  if (roots.some(({ fingerprint }) => fingerprint === print)) await one.machines((service) => service.trust(print))
}

const tell = async (random: Random): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), "context-roots-"))
  const { batch, connection: log } = makeSequencer()
  const [a, b, c] = ["a", "b", "c"].map((name) => play(name, directory, batch)) as [Player, Player, Player]
  const written = new Set<string>()
  let root = false
  const add = async (one: Player) => {
    const name = `${one.name}-${written.size}`
    const done = await one.run(Effect.flatMap(Registry, (r) => Effect.either(r.servers.add({ name }))))
    if (one !== a && done._tag === "Right") written.add(name)
  }
  const steps: ReadonlyArray<() => Promise<unknown>> = [
    () => add(random.pick([a, b, c])),
    () => sync(random.pick([a, b, c])),
    () => sync(random.pick([b, c])),
    async () => {
      if (random.next() > 0.3) return
      const [head] = log.prepare("SELECT coalesce(max(position), 0) FROM events").get()
      putBack(log, Math.max(1, head - random.below(8)))
    },
    async () => {
      if (random.next() > 0.4 || root) return
      root = (await b.machines((service) => service.beginRoot(true)))._tag === "Right"
    },
    () => (random.next() < 0.5 ? trustAll(c, b) : Promise.resolve()),
  ]
  a.connection.transact((connection) => establish(connection, a.signer, [b.signer, c.signer]))
  for (const one of [a, b, c]) await sync(one)
  for (let i = 0; i < 30; i++) await (random.pick(steps) as () => Promise<unknown>)()
  for (let round = 0; round < 4; round++)
    for (const one of [b, c]) {
      const ended = await sync(one)
      // Who has the lost key went on where the server had been put back: what leads on is an empty database.
      if (one === b && ended._tag === "Left" && (ended.left as { readonly reason: string }).reason === "damaged") {
        log.exec("DROP TABLE events; DROP TABLE log")
        await sync(b)
      }
      if (one === c) await trustAll(c, b)
    }
  expect(eventsOf(c.connection)).toEqual(eventsOf(b.connection))
  expect(eventsOf(log).map((row) => row[10])).toEqual(eventsOf(b.connection).map((row) => row[10]))
  for (const { connection, run } of [b, c]) {
    expect(readMembership(connection).root?.machineId).toBe((root ? b : a).signer.id)
    const status = await run(Effect.flatMap(Sync, (service) => service.status))
    expect(status).toMatchObject({ pending: 0, roots: [], enrolment: "enrolled" })
    // What the lost key wrote on a server that was put back may have come to somebody: then it is told, under that machine's name.
    const told = connection.prepare("SELECT actor, reason FROM rejections WHERE status = 'open'").all()
    for (const row of told) expect(row).toEqual(["a", "it was written with a key that nobody enrolled in this log"])
    const servers = connection
      .prepare("SELECT name FROM servers")
      .all()
      .map(([name]) => name)
    expect(servers).toEqual(expect.arrayContaining([...written]))
    const { rows, walk } = await Effect.runPromise(auditOn(connection))
    expect(rows).toBeDefined()
    const wrong = walk.findings.filter(({ kind }) => kind !== "inert").map(({ message }) => message)
    expect(wrong).toEqual([])
    const inert = walk.findings.map(({ message }) => message)
    expect(inert.filter((message) => !/under the root before this one|not enrolled|nobody has enrolled/.test(message))).toEqual([]) // biome-ignore format: one line
  }
  for (const one of [a, b, c]) await one.close()
  rmSync(directory, { recursive: true })
}

it("a root stays, whatever happens around it", { timeout: 120_000 }, async () => {
  const began = Date.now()
  const first = seedOf("roots")
  for (let seed = first; seed < first + atLeast || Date.now() - began < milliseconds; seed++)
    await tell(randomFrom(seed)).catch((error) => {
      throw new Error(`DURABILITY_SEED=${seed}`, { cause: error })
    })
})
