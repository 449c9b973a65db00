/** The registry's servers as places to run things: how to reach them, and whose host keys to trust. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Commands } from "../Commands.js"
import { entity, HostKeyPinned } from "../domain/Server.js"
import { RemoteError, type StorageError } from "../Errors.js"
import { EventLog } from "../EventLog.js"
import { Here, isHere } from "../Here.js"
import { nobody } from "../Origin.js"
import { ReadModels } from "../ReadModels.js"
import {
  type HostKey,
  HostKeyPrompt,
  Remote,
  type RemoteCommand,
  type RemoteRequest,
  type RemoteResponse,
  type RemoteResult,
  type Target,
} from "../Remote.js"
import type { ServerRow } from "../views/servers.js"
import { withWayOut } from "./changedKey.js"
import { ownerOf, type Seen, targetOf } from "./targets.js"

type HostError = RemoteError | StorageError
type Prompt = (server: string, key: HostKey) => Effect.Effect<boolean>

/**
 * Runs things on servers of the registry.
 *
 * A host key seen for the first time goes to `HostKeyPrompt`; once accepted it is pinned by an event in the log, and from
 * then on the host must show it.
 */
export class Hosts extends Context.Tag("@context-engine/core/Hosts")<
  Hosts,
  {
    readonly run: (server: ServerRow, command: RemoteCommand) => Effect.Effect<RemoteResult, HostError>
    /** `GET` from the host itself, so that what listens on its loopback only can be asked too. */
    readonly get: (server: ServerRow, request: RemoteRequest) => Effect.Effect<RemoteResponse, HostError>
    /** Why it cannot be reached from this machine, if it is local to another. */
    readonly elsewhere: (server: ServerRow) => Effect.Effect<RemoteError | undefined, StorageError>
    /** The target, with every host key on the way pinned. */
    readonly trusted: (server: ServerRow) => Effect.Effect<Target, HostError>
  }
>() {
  static readonly layer = Layer.effect(
    Hosts,
    Effect.gen(function* () {
      const remote = yield* Remote
      const models = yield* ReadModels
      const commands = yield* Commands
      const log = yield* EventLog

      const look: Effect.Effect<Seen, StorageError> = Effect.gen(function* () {
        const all = yield* models.servers.list()
        // Whose key this machine has is of no interest where nothing is local, nor what others are called where all that is is here.
        if (!all.some(({ local }) => local)) return { all, here: { key: undefined, machine: nobody } }
        const here = yield* yield* Here
        const away = all.some((server) => server.local && !isHere(server, here))
        return { all, here, names: away ? yield* log.machineNames : undefined }
      })

      const target = (server: ServerRow): Effect.Effect<Target, HostError> =>
        Effect.flatMap(look, (seen) => targetOf(latest(server, seen.all), seen))

      /** Asks about each unknown key on the way, nearest hop first, and pins what is accepted. */
      const trust = (server: ServerRow, to: Target): Effect.Effect<Target, HostError> =>
        Effect.gen(function* () {
          const key = yield* remote.unknownHostKey(to)
          if (key === undefined) return to
          const ask = yield* HostKeyPrompt
          // One question at a time: a jump host may have been accepted meanwhile, on the way to another server.
          yield* ask === undefined ? accept(server, key) : turn.withPermits(1)(accept(server, key, ask))
          return yield* trust(server, yield* target(server))
        })

      const turn = yield* Effect.makeSemaphore(1)
      const accept = (server: ServerRow, key: HostKey, ask?: Prompt): Effect.Effect<void, HostError> =>
        Effect.gen(function* () {
          const seen = yield* look
          const current = seen.all.find((row) => row.id === server.id)
          // Nothing can be pinned for it, and what is not pinned would be asked about again and again.
          if (current === undefined) return yield* removed(server)
          const to = yield* targetOf(current, seen)
          if (to._tag === "Local" || to.hostKeys.some((pin) => pin.address === key.address)) return
          // A jump host's key belongs to the jump host: it is found, and forgotten, there.
          const owner = ownerOf(to, key.address, seen) ?? current
          const accepted = ask !== undefined && (yield* ask(owner.name, key))
          if (!accepted) return yield* notTrusted(server, owner, key)
          yield* commands.record(entity.aggregate, owner.id, [HostKeyPinned({ server: owner.name, ...key })])
        })

      /** A key that has changed is told with what leads on from there. */
      const told =
        (server: ServerRow) =>
        <A>(effect: Effect.Effect<A, HostError>): Effect.Effect<A, HostError> =>
          Effect.catchIf(
            effect,
            (error) => error._tag === "RemoteError" && error.reason === "host-key-changed",
            (error) => Effect.flatMap(look, (seen) => withWayOut(error as RemoteError, server, seen)),
          )

      const reach = <A>(server: ServerRow, use: (target: Target) => Effect.Effect<A, RemoteError>) =>
        Effect.gen(function* () {
          const to = yield* target(server)
          return yield* use(to).pipe(
            Effect.catchIf(
              (error) => error.reason === "host-key-unknown",
              () => Effect.flatMap(trust(server, to), use),
            ),
          )
        }).pipe(told(server))

      return Hosts.of({
        run: (server, command) => reach(server, (to) => remote.run(to, command)),
        get: (server, request) => reach(server, (to) => remote.get(to, request)),
        elsewhere: (server) =>
          target(server).pipe(
            Effect.as(undefined),
            Effect.catchTag("RemoteError", (error) => Effect.succeed(error.reason === "elsewhere" ? error : undefined)),
          ),
        trusted: (server) => Effect.flatMap(target(server), (to) => trust(server, to)).pipe(told(server)),
      })
    }),
  )
}

/** The row as it is now: the one given may be older than the pins. */
const latest = (server: ServerRow, all: ReadonlyArray<ServerRow>): ServerRow =>
  all.find((row) => row.id === server.id) ?? server

const removed = (server: ServerRow) =>
  new RemoteError({
    reason: "refused",
    host: server.name,
    message: `server ${server.name} is not registered any more, so its host key cannot be accepted: context infra server list`,
  })

const notTrusted = (server: ServerRow, owner: ServerRow, key: HostKey) =>
  new RemoteError({
    reason: "host-key-unknown",
    host: server.name,
    message:
      `${server.name}${owner.id === server.id ? "" : `, through ${owner.name}`} (${key.address}) shows a host key that ` +
      `nobody has accepted yet: ${key.algorithm} ${key.fingerprint}. ` +
      "Compare it with the host's own, then run the command again with --accept-host-key",
  })
