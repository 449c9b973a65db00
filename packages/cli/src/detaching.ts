/** Ctrl-C while a deployment is watched: it goes on without us, unless whoever pressed it says otherwise. */
import type { Deployer } from "@context-engine/core/services/Deployer"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { isInteractive, question, say } from "./terminal.js"
import { Detached, ExitStatus } from "./usage.js"

/** What is watched. */
export interface Watched {
  /** The ids of the deployments that are on their way now. */
  readonly running: () => ReadonlyArray<string>
  /** Holds the output back while there is a question to be read. */
  readonly gate: Effect.Latch
  /** Whether there may be more to come that has not begun. */
  readonly more: boolean
}

type Signal = "SIGINT" | "SIGTERM"
type Answer = "detach" | "cancel" | "watch"

/**
 * Watches until the end. On a terminal the first Ctrl-C asks what to do and a second one detaches; elsewhere any signal
 * detaches. As long as nothing has begun, there is nothing to leave, and it just ends.
 */
export const detachable = <A, E>(
  deployer: Deployer["Type"],
  watched: Watched,
  watching: Effect.Effect<A, E>,
): Effect.Effect<A, unknown> =>
  Effect.gen(function* () {
    const signals = yield* takeSignals
    const fiber = yield* Effect.forkDaemon(watching)
    const cancels: Array<Fiber.RuntimeFiber<void>> = []
    const course = Effect.gen(function* () {
      while (true) {
        const event = yield* Effect.raceFirst(Fiber.await(fiber), Queue.take(signals))
        if (typeof event !== "string") return yield* event
        const ids = watched.running()
        if (ids.length === 0) return yield* Effect.zipRight(leave(fiber), new ExitStatus({ status: 130 }))
        const answer = event === "SIGINT" && isInteractive() ? yield* ask(watched, fiber, signals) : "detach"
        if (answer === "detach") return yield* detach(deployer, watched, fiber)
        if (answer === "cancel") cancels.push(yield* Effect.forkDaemon(cancel(deployer, ids)))
      }
    })
    return yield* course.pipe(
      Effect.onInterrupt(() => leave(fiber)),
      Effect.ensuring(Effect.suspend(() => Fiber.interruptAll(cancels))),
    )
  }).pipe(Effect.scoped)

/** The signals that would end the program, which comes into its own again when the scope is closed. */
export const takeSignals: Effect.Effect<Queue.Dequeue<Signal>, never, Scope.Scope> = Effect.gen(function* () {
  const queue = yield* Queue.unbounded<Signal>()
  const take = (name: Signal) => {
    const others = process.listeners(name)
    const own = () => void queue.unsafeOffer(name)
    // Never without a listener: a signal that has come and is not told yet would be lost with the last one.
    process.on(name, own)
    for (const other of others) process.removeListener(name, other)
    return () => {
      for (const other of others) process.on(name, other)
      process.removeListener(name, own)
    }
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => [take("SIGINT"), take("SIGTERM")]),
    (giveBack) => Effect.sync(() => giveBack.map((one) => one())),
  )
  return queue
})

/** What to do, by the person in front. When it is over before they have answered, there is nothing to be asked. */
const ask = (
  { gate }: Watched,
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  signals: Queue.Dequeue<Signal>,
): Effect.Effect<Answer> =>
  Effect.acquireUseRelease(
    gate.close,
    () =>
      question("\n[d]etach (it goes on), [c]ancel it, Enter to keep watching: ").pipe(
        Effect.map((text): Answer => {
          const letter = text.trim().toLowerCase()[0]
          return letter === "d" ? "detach" : letter === "c" ? "cancel" : "watch"
        }),
        Effect.raceFirst(Effect.as(Queue.take(signals), "detach" as const)),
        Effect.raceFirst(Effect.as(Fiber.await(fiber), "watch" as const)),
      ),
    () => gate.open,
  )

/** The one who watches sees the end of it; here only what keeps it from ending is of interest. */
const cancel = (deployer: Deployer["Type"], ids: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.forEach(
    ids,
    (id) =>
      Effect.catchAll(deployer.cancel(id), ({ _tag, message }) =>
        _tag === "OperationFailed" && /is over already/.test(message)
          ? Effect.void
          : say(`it could not be cancelled: ${message}`),
      ),
    { concurrency: "unbounded", discard: true },
  )

/** Leaves what runs to itself, and says where to find it again. */
const detach = (
  deployer: Deployer["Type"],
  { more, running }: Watched,
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
): Effect.Effect<never, unknown> =>
  Effect.gen(function* () {
    const rows = yield* Effect.forEach(running(), deployer.get)
    yield* leave(fiber)
    return yield* new Detached({
      lines: [
        ...rows.map(
          ({ server, service }) => `it goes on on ${server}: context infra deploy attach ${server}/${service}`,
        ),
        ...(more ? ["no other service is begun"] : []),
      ],
    })
  })

/** A link that is down does not hold us up. */
const leave = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.raceFirst(Effect.asVoid(Fiber.interrupt(fiber)), Effect.sleep("3 seconds"))
