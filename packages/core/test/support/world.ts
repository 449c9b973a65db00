/** Everything but the file: all services over a log in memory, with this machine or real SSH servers as the hosts. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Attendant } from "../../src/Attendant.js"
import { Commands } from "../../src/Commands.js"
import type { DeployLogs } from "../../src/DeployLogs.js"
import { entity, HostKeyPinned, type ServerInput } from "../../src/domain/Server.js"
import { EventLog } from "../../src/EventLog.js"
import { Origin } from "../../src/Origin.js"
import { ReadModels } from "../../src/ReadModels.js"
import * as Any from "../../src/Remote/Any.js"
import * as Local from "../../src/Remote/Local.js"
import { attendant } from "../../src/Remote/Process.js"
import type { Ssh2Options } from "../../src/Remote/Ssh2.js"
import { type HostKey, HostKeyPrompt, type Remote } from "../../src/Remote.js"
import * as Services from "../../src/services/layer.js"
import { Registry } from "../../src/services/Registry.js"
import { layerMemory } from "../../src/testing/memory.js"
import { refolded } from "./refolded.js"
import type { Sshd } from "./sshd.js"

// Deployments keep their ledger at home; each file of tests has a home of its own.
const home = mkdtempSync(join(tmpdir(), "context-home-"))
process.env.HOME = home
process.once("exit", () => rmSync(home, { recursive: true, force: true }))

export type World = Services.Services | EventLog | ReadModels | Commands | DeployLogs

const origin = { actor: "ada", via: "library", machine: "test" } as const

const layerOver = (remote: Layer.Layer<Remote>) =>
  Layer.provideMerge(Services.layer, Layer.merge(layerMemory(), remote)).pipe(
    Layer.provide(Layer.succeed(Origin, origin)),
  )

/** The world whose only host is this machine. */
export const layer = layerOver(Local.layer)

const runIn =
  (world: Layer.Layer<World>) =>
  <A, E>(story: Effect.Effect<A, E, World>): Promise<A> =>
    Effect.runPromise(
      story.pipe(
        Effect.zipLeft(refolded),
        Effect.provide(world),
        Effect.provideService(Origin, origin),
        Effect.provideService(Attendant, attendant),
        Effect.scoped,
      ) as Effect.Effect<A, E>,
    )

/** Runs a story in a world of its own. */
export const inWorld = runIn(layer)

/** The same where servers are reached by SSH, too. Nobody's agent and nobody's default keys take part. */
export const inSshWorld = <A, E>(story: Effect.Effect<A, E, World>, options: Ssh2Options = {}): Promise<A> =>
  runIn(layerOver(Any.layerWith({ agentSocket: "", home: "/nonexistent", ...options })))(story)

/** What to register for a running sshd; `jumpHost` is a server's name or `user@host:port`. */
export const serverAt = (name: string, sshd: Sshd, jumpHost: string | null = null): ServerInput => ({
  name,
  ipAddresses: [sshd.host],
  sshConfig: { user: sshd.user, port: sshd.port, keyPath: sshd.keyPath, jumpHost },
})

/** Registers a running sshd as a server whose host key has been accepted. */
export const addTrusted = (name: string, sshd: Sshd) =>
  Effect.gen(function* () {
    const { id } = yield* (yield* Registry).servers.add(serverAt(name, sshd))
    yield* (yield* Commands).record(entity.aggregate, id, [HostKeyPinned({ server: name, ...sshd.hostKey })])
  })

/** Someone who, after a moment's thought, gives the same answer to every host key, and what they were asked: `[server, key]`. */
export const someone = (answer: boolean) => {
  const asked: Array<readonly [string, HostKey]> = []
  const prompt = (server: string, key: HostKey) =>
    Effect.promise(async () => {
      asked.push([server, key])
      await new Promise((thought) => setTimeout(thought, 20))
      return answer
    })
  /** Lets a story ask them. */
  const answering = <A, E, R>(story: Effect.Effect<A, E, R>) => Effect.provideService(story, HostKeyPrompt, prompt)
  return { asked, answering }
}

/** What a story gives, and the types of the events that it appended to the log. */
export const appended = <A, E, R>(story: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const before = yield* log.head
    const value = yield* story
    const events = yield* Stream.runCollect(log.readAll({ after: before }))
    return { value, events: [...events].map((event) => event.type) }
  })

/** The timeline's titles about checks of servers and services, the oldest first. */
export const healthChanges = Effect.gen(function* () {
  const rows = yield* (yield* ReadModels).infraEvents.list({
    where: { type: "health_change" },
    order: { by: "position" },
  })
  return rows.map((row) => row.title)
})

/** Looks again and again until what it sees holds, and gives that. */
export const eventually = <A, E, R>(look: Effect.Effect<A, E, R>, holds: (seen: A) => boolean) =>
  Effect.repeat(Effect.delay(look, "10 millis"), { until: holds })
