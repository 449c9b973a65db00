/**
 * Some machines, one shared log and a bad network, all from one seed; and what must hold of them in the end. In half of the
 * stories the machines sign, and others have got hold of the log's token, of a machine's key, or of the server itself.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { machinesStream } from "@context-engine/core/domain/Machine"
import { isEnrolled } from "@context-engine/core/domain/Membership"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { NativeConnection } from "../../src/connection.js"
import type { EventRow } from "../../src/record.js"
import { loadSigner, type Signer } from "../../src/Signer.js"
import { make } from "../../src/sync/RemoteLog.js"
import { claimedKey } from "../../src/trust/chain.js"
import { readMembership } from "../../src/trust/membership.js"
import { anyCommand } from "../support/commands.js"
import { approveAll, establish, invite, revoke } from "../support/enrolment.js"
import { type MemoryMachine, memoryMachine } from "../support/memoryMachine.js"
import { makeNetwork, type Network } from "../support/network.js"
import { nowOrJoin } from "../support/nowOrJoin.js"
import { type Random, randomFrom } from "../support/random.js"
import { makeSequencer, type Sequencer } from "../support/sequencer.js"
import { forge, type Liar, makeLiar, rowsOf } from "./hostile.js"
import { rewrite } from "./rewriter.js"
import { judge, type Simulated } from "./verdict.js"

export type { Simulated } from "./verdict.js"

/** In memory where the system has such a place: the machines' locks are files. */
const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir()

const keys = mkdtempSync(join(place, "context-simulation-keys-"))
process.once("exit", () => rmSync(keys, { recursive: true, force: true }))

/** A machine of a story. */
interface Player extends MemoryMachine {
  readonly signer: Signer | undefined
  /** The code that it was given to come in. */
  code: string | undefined
}

interface Story {
  readonly random: Random
  readonly directory: string
  readonly sequencer: Sequencer
  readonly network: Network
  readonly players: Array<Player>
  readonly acknowledged: Map<string, string>
  readonly forged: Set<string>
  readonly careless: Set<string>
  readonly revoked: Set<Player>
  readonly has: { readonly forger: boolean; readonly careless: boolean; readonly revocation: boolean }
  readonly liar: Liar
}

/** Runs a whole story. Every choice in it comes from the seed. What it dies of is a problem like any other. */
export const simulate = async (seed: number): Promise<Simulated> => {
  try {
    return await tell(seed)
  } catch (error) {
    const problem = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const nothing = { events: 0, acknowledged: 0, refused: 0, moot: 0, forged: 0 }
    return { problems: [`the story broke off: ${problem}`], ...nothing }
  }
}

const tell = async (seed: number): Promise<Simulated> => {
  const signed = seed % 2 === 0
  const story = begin(randomFrom(seed), signed)
  const { network, players, random, sequencer } = story
  if (signed) await beginLog(story)
  const steps = 20 + random.below(60)
  for (let i = 0; i < steps; i++) {
    if (random.next() < 0.1) network.partition(random.pick(players).name, random.next() < 0.6)
    await step(random.pick(players), story)
    if (signed) await interfere(story)
  }
  await network.calm()
  await settle(story)
  const machines = players.filter((one) => !story.revoked.has(one))
  const waits = new Set([...story.revoked].flatMap(({ connection }) => keptBy(connection)))
  const acknowledged = new Map([...story.acknowledged].filter(([id]) => !waits.has(id)))
  const late = new Set(writtenWhileLost(story))
  const simulated = judge({ ...story, acknowledged, late, log: sequencer.connection, machines })
  const problems = [...simulated.problems, ...[...story.revoked].flatMap((one) => judgeRevoked(one, story))]
  if (signed && random.next() < 0.5) problems.push(...(await rewrite({ ...story, machines, log: sequencer })))
  for (const one of players) await one.close()
  sequencer.connection.close()
  rmSync(story.directory, { recursive: true })
  return { ...simulated, problems }
}

const begin = (random: Random, signed: boolean): Story => {
  const directory = mkdtempSync(join(place, "context-simulation-"))
  const sequencer = makeSequencer()
  const players: Array<Player> = []
  const lying = signed && random.next() < 0.3
  const chance = lying ? 0.8 : 0.3
  const has = { forger: random.next() < 0.7, careless: random.next() < 0.2, revocation: random.next() < chance }
  const forged = new Set<string>()
  const liar = makeLiar(random, sequencer, lying, forged)
  let depth = 0
  const meanwhile = async (name: string) => {
    if (depth >= 3) return
    depth += 1
    const own = players.find((one) => one.name === name) as Player
    // Its own commands go on while it synchronises, and so does everything on other machines.
    if (random.next() < 0.5) await command(own, story)
    else await step(random.pick(players), story)
    depth -= 1
  }
  const network = makeNetwork(random, liar.batch, meanwhile)
  const story: Story = {
    ...{ random, directory, sequencer, network, players, has, liar },
    ...{ acknowledged: new Map(), forged, careless: new Set(), revoked: new Set() },
  }
  const count = 2 + random.below(3)
  for (let i = 0; i < count; i++) {
    const name = `m${i}`
    const keyPath = signed ? join(keys, `${name}.key`) : undefined
    const signer = keyPath === undefined ? undefined : { ...loadSigner(keyPath), name }
    const machine = memoryMachine(name, join(directory, name), make("memory", network.link(name)), keyPath)
    players.push({ ...machine, signer, code: undefined })
  }
  return story
}

/** The first machine is the root; the others stand beside it, are invited, or ask and are approved. */
const beginLog = async ({ network, players, random }: Story): Promise<void> => {
  const [root, ...others] = players as [Player, ...Array<Player>]
  const ways = others.map(() => random.next())
  const beside = others.flatMap(({ signer }, i) => ((ways[i] ?? 0) < 0.5 && signer !== undefined ? [signer] : []))
  root.connection.transact((c) => establish(c, root.signer as Signer, beside))
  for (const [i, one] of others.entries()) if ((ways[i] ?? 0) > 0.75) one.code = await root.run(invite(root.connection))
  await network.smoothly(() => root.run(now(root)))
}

const now = ({ code }: Player) => nowOrJoin(code === undefined ? {} : { invite: code })
const heal = Effect.flatMap(Sync, (service) => service.heal())

const step = async (player: Player, story: Story) => {
  if (story.random.next() < 0.75) return command(player, story)
  const lied = story.liar.lies > 0 && story.random.next() < 0.3
  await player.run(Effect.either(lied ? heal : now(player)))
}

/** Gives a command; what it appended was acknowledged. */
const command = async (player: Player, { acknowledged, random }: Story) => {
  const before = new Map(waiting(player.connection))
  await player.run(Effect.either(anyCommand(random)))
  for (const [id, type] of waiting(player.connection)) if (!before.has(id)) acknowledged.set(id, type)
}

/** What a command appends is part of the tail: no synchronisation comes between. */
const waiting = (connection: NativeConnection): ReadonlyArray<[id: string, type: string]> =>
  connection
    .prepare("SELECT id, type FROM events WHERE position > (SELECT position FROM sync) AND stream <> ?")
    .all(machinesStream) as any

/** What a machine that may not push has of its own: its events, and those of commands that could not stand. */
const keptBy = (connection: NativeConnection): ReadonlyArray<string> => {
  const [confirmed] = connection.prepare("SELECT position FROM sync").get()
  const told = (row: EventRow) => JSON.parse(row[6]).events.map(({ id }: { readonly id: string }) => id)
  const own = rowsOf(connection).slice(confirmed)
  return own.flatMap((row) => [row[1], ...(row[4] === "CommandRejected" ? told(row) : [])])
}

/** What is done by those who decide who may write, and by those who may not. */
const interfere = async (story: Story): Promise<void> => {
  const { careless, forged, has, players, random, revoked, sequencer } = story
  const [root] = players as [Player]
  const last = players[players.length - 1] as Player
  if (random.next() < 0.1) await root.run(approveAll(root.connection))
  if (has.revocation && players.length > 2 && !revoked.has(last) && isIn(root, last) && random.next() < 0.05) {
    await root.run(revoke(last.signer as Signer))
    revoked.add(last)
  }
  const signers = players.filter((one) => !revoked.has(one)).map(({ signer }) => signer as Signer)
  const out = [...revoked].map(({ signer }) => signer as Signer).filter(({ id }) => isOut(story, id))
  const forger = { random, log: sequencer.connection, enrolled: signers, revoked: out, forged, careless }
  if (has.forger && random.next() < 0.15) forge(forger)
  if (has.careless && random.next() < 0.1) forge(forger, root.signer as Signer)
}

/** Whoever never came in cannot be put out. */
const isIn = (root: Player, { signer }: Player): boolean =>
  isEnrolled(readMembership(root.connection), signer?.id ?? "")

/** Whether the shared log says that a machine was revoked. */
const isOut = ({ forged, sequencer }: Story, machineId: string): boolean =>
  rowsOf(sequencer.connection).some(
    (row) => row[4] === "MachineRevoked" && !forged.has(row[1]) && JSON.parse(row[6]).machineId === machineId,
  )

/** Everybody who may comes in, pushes and learns: often enough to learn what the last one pushed. */
const settle = async (story: Story): Promise<void> => {
  const { liar, players, revoked } = story
  liar.stop()
  const [root] = players as [Player]
  // A log that has its own history and never met the shared one is not healed: a person joins it.
  const way = (one: Player) => (liar.lies > 0 ? Effect.zipRight(Effect.ignore(heal), now(one)) : now(one))
  if (liar.lies > 0) await beginAnew(story)
  for (let round = 0; round < 2; round++) {
    for (const one of players) await one.run(Effect.either(way(one)))
    await root.run(approveAll(root.connection))
  }
  for (const one of [...players, ...players])
    await (revoked.has(one) ? one.run(Effect.either(now(one))) : one.run(now(one)))
}

/**
 * A revocation that was told as taken, and was not kept, is not put after what the revoked machine wrote there meanwhile. The way
 * out is what the refusal says: an empty database, filled by the machine that knows of it.
 */
const beginAnew = async ({ players, sequencer }: Story): Promise<void> => {
  const [root] = players as [Player]
  const healed = await root.run(Effect.either(heal))
  if (Either.isRight(healed) || !healed.left.message.includes("before decisions about who may write")) return
  sequencer.connection.exec("DROP TABLE events; DROP TABLE log")
  await root.run(heal)
}

/** What a revoked machine wrote where its revocation was lost: others who took it over put it after that, where it counts no more. */
const writtenWhileLost = ({ liar, revoked, sequencer }: Story): ReadonlyArray<string> => {
  if (liar.lies === 0) return []
  const rows = rowsOf(sequencer.connection)
  return [...revoked].flatMap(({ signer }) => {
    const out = rows.find((row) => row[4] === "MachineRevoked" && JSON.parse(row[6]).machineId === signer?.id)
    return rows
      .filter((row) => out !== undefined && row[0] > out[0] && claimedKey(row) === signer?.id)
      .map((row) => row[1])
  })
}

/** A revoked machine has what was shared. What is its own waits on it, or was shared before. */
const judgeRevoked = ({ connection, name }: Player, { sequencer }: Story): ReadonlyArray<string> => {
  const [confirmed] = connection.prepare("SELECT position FROM sync").get()
  const there = rowsOf(sequencer.connection)
  const here = rowsOf(connection).slice(0, confirmed)
  // Equal hashes are equal histories.
  const same = here[confirmed - 1]?.[10] === there[confirmed - 1]?.[10]
  return same && confirmed === there.length ? [] : [`${name}, revoked, has another log up to ${confirmed}`]
}
