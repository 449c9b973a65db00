/**
 * Admins who decide about machines, about each other too, while nobody hears of the others, and machines that go on with another
 * key when theirs was turned away. In any order: all come to the same log, nothing honest counts for nothing, nothing is said to be
 * missing, and what was acknowledged is there, or told as refused.
 */
import { rmSync } from "node:fs"
import type { Machines } from "@context-engine/core/services/Machines"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import { anyCommand } from "../support/commands.js"
import { enrol } from "../support/enrolment.js"
import { beginLog, eventsOf, type Machine, machine, machines, rowsHash, signerOf, status, sync, verify } from "../support/machines.js" // biome-ignore format: one line
import { type Random, randomFrom, seedOf } from "../support/random.js"
import { makeSequencer } from "../support/sequencer.js"

const milliseconds = 5_000
const atLeast = 5

interface Story {
  readonly random: Random
  readonly remote: Parameters<typeof machine>[1]
  readonly players: Array<Machine>
  /** The events that some machine had, each once. */
  readonly acknowledged: Map<string, string>
}

const syncs = (one: Machine) => one.run(Effect.flatMap(Sync, (service) => Effect.either(service.now())))

const decides = async ({ players, random }: Story, by: Machine): Promise<void> => {
  const { id } = signerOf(random.pick(players))
  const ways: ReadonlyArray<(service: Machines["Type"]) => Effect.Effect<unknown, unknown>> = [
    (service) => service.approve(id, "member"),
    (service) => service.approve(id, "admin"),
    (service) => service.revoke(id),
    (service) => service.rename(id, `other${random.below(3)}`),
    (service) => service.invite({ role: "admin", uses: 2, expiresAt: "2999-01-01T00:00:00.000Z" }),
  ]
  await machines(by, (service) => Effect.either(random.pick(ways)(service)))
}

const settles = ({ random }: Story, by: Machine) =>
  by.run(
    Effect.gen(function* () {
      const service = yield* Sync
      const open = (yield* service.rejected).filter((row) => row.status === "open")
      const how = random.next() < 0.75 ? service.retry : service.drop
      if (open.length > 0) yield* Effect.either(how(random.pick(open).id))
    }),
  )

/** Whoever was turned away goes on with another key. */
const goesOn = async ({ players, remote }: Story): Promise<void> => {
  for (const [at, one] of players.entries()) {
    if ((await status(one)).enrolment !== "revoked") continue
    await one.close()
    rmSync(`${one.path}.key`)
    players[at] = machine(one.name, remote, { path: one.path })
    return
  }
}

const step = async (story: Story): Promise<void> => {
  const { acknowledged, players, random } = story
  const one = random.pick(players)
  const chance = random.next()
  if (chance < 0.35) await syncs(one)
  else if (chance < 0.65) await one.run(Effect.either(anyCommand(random, 3)))
  else if (chance < 0.9) await decides(story, one)
  else if (chance < 0.96) await settles(story, one)
  else await goesOn(story)
  // A request to be let in that came in vain is made again, or not wanted any more.
  for (const row of players.flatMap(({ path }) => eventsOf(path)))
    if (row[4] !== "EnrolmentRequested") acknowledged.set(row[1], `${row[4]} of ${JSON.parse(row[7]).machine}`)
}

/** The ids of a machine's events, and of those that it has as refused, however deep. */
const idsOf = ({ path }: Machine): string =>
  eventsOf(path)
    .map((row) => (row[4] === "CommandRejected" ? row[1] + row[6] : row[1]))
    .join()

const judge = async ({ acknowledged, players }: Story): Promise<void> => {
  const ended = new Map<Machine, boolean>()
  for (let round = 0; round < 3; round++) for (const one of players) ended.set(one, (await syncs(one))._tag === "Right")
  const members = players.filter((one) => ended.get(one))
  for (const one of members) {
    expect(eventsOf(one.path)).toEqual(eventsOf(members[0]?.path ?? ""))
    expect(rowsHash(one.path)).toBe(rowsHash(members[0]?.path ?? ""))
    expect(await status(one)).toMatchObject({ breaks: [], inert: 0, pending: 0, lastError: null })
  }
  for (const one of players) expect((await verify(one)).findings).toEqual([])
  const there = players.map(idsOf).join()
  expect([...acknowledged].filter(([id]) => !there.includes(id))).toEqual([])
  const added = eventsOf(members[0]?.path ?? "").flatMap((row) =>
    /(Server|Service)Added$/.test(row[4]) ? [row[2]] : [],
  )
  expect(new Set(added).size).toBe(added.length)
}

it("whatever admins decide, all come to the same, and nothing is lost", { timeout: 120_000 }, async () => {
  const first = seedOf("admins")
  const began = performance.now()
  for (let seed = first; seed < first + atLeast || performance.now() - began < milliseconds; seed++) {
    const remote = make("memory", makeSequencer().batch)
    const players = ["a", "b", "c", "d", "e"].map((name) => machine(name, remote))
    const story: Story = { random: randomFrom(seed), remote, players, acknowledged: new Map() }
    const [root, ...others] = players as [Machine, ...Array<Machine>]
    await beginLog(root, ...others)
    for (const one of others.slice(0, 2)) await root.run(enrol(signerOf(one), "admin"))
    for (const one of players) await sync(one)
    const steps = 30 + story.random.below(20)
    for (let n = 0; n < steps; n++) await step(story)
    try {
      await judge(story)
    } catch (error) {
      throw new Error(`DURABILITY_SEED=${seed}`, { cause: error })
    }
    for (const one of players) await one.close()
  }
})
