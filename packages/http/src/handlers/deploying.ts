/** Deployments on their way: they outlive the request that began them, and may be watched as server-sent events. */
import type { DeployError, DeployOptions } from "@context-engine/core/services/Deployer"
import type { DeploymentRow } from "@context-engine/core/views/deployments"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Mailbox from "effect/Mailbox"
import { failureBody, whereOf } from "../failures.js"
import { type Message, telling, wantsEvents } from "./events.js"
import { lines } from "./lines.js"

/** Where deployments run: as long as the server does, whether or not the one who asked still listens. */
export class Deployments extends Context.Tag("@context-engine/http/Deployments")<
  Deployments,
  { readonly running: FiberSet.FiberSet }
>() {
  /** At the end those on their way have `grace` milliseconds; then they are left to themselves: they go on at their hosts, and the next command settles them. */
  static readonly layer = (grace: number) =>
    Layer.scoped(
      Deployments,
      Effect.gen(function* () {
        const running = yield* FiberSet.make()
        yield* Effect.addFinalizer(() =>
          Effect.timeoutOption(Effect.interruptible(FiberSet.awaitEmpty(running)), grace),
        )
        return { running }
      }),
    )
}

type Watch = Pick<DeployOptions, "onOutput" | "onStep">
type Deploy = (watch: Watch) => Effect.Effect<DeploymentRow, DeployError>

type DeployMessage = Message<"step" | "output" | "deployment" | "error">

/** How many messages wait for a slow reader; older ones then give way, so that a reader never holds up a deployment. */
const capacity = 8192

/** Carries a deployment out and answers with its end, or with all of its course if that is what the caller accepts. */
export const answer = (
  request: HttpServerRequest,
  deploy: Deploy,
): Effect.Effect<DeploymentRow | HttpServerResponse.HttpServerResponse, DeployError, Deployments> =>
  wantsEvents(request) ? watched(deploy, whereOf(request)) : Effect.flatMap(started(deploy({})), Fiber.join)

/** Runs for as long as it takes, whoever still listens. */
export const started = <A, E>(deployment: Effect.Effect<A, E>) =>
  Effect.flatMap(Deployments, ({ running }) => FiberSet.run(running, Effect.interruptible(deployment)))

/** A refusal before anything has begun is an error response; from then on it is the stream that tells. */
const watched = (deploy: Deploy, where: string) =>
  Effect.gen(function* () {
    const messages = yield* Mailbox.make<DeployMessage>({ capacity, strategy: "sliding" })
    const begun = yield* Deferred.make<void, DeployError>()
    const tell = (message: DeployMessage) =>
      Effect.zipRight(Deferred.succeed(begun, undefined), messages.offer(message))
    const stdout = lines((line) => tell({ event: "output", data: { stream: "stdout", line } }))
    const stderr = lines((line) => tell({ event: "output", data: { stream: "stderr", line } }))
    const watch: Watch = {
      onStep: (step) => (step === "prepare" ? Effect.void : Effect.asVoid(tell({ event: "step", data: { step } }))),
      onOutput: ({ data, stream }) => (stream === "stdout" ? stdout : stderr).push(data),
    }
    const finish = (exit: Exit.Exit<DeploymentRow, DeployError>) =>
      Effect.gen(function* () {
        yield* stdout.end
        yield* stderr.end
        yield* Deferred.done(begun, Exit.asVoid(exit))
        yield* messages.offer(yield* last(exit, where))
        yield* messages.end
      })
    yield* started(Effect.onExit(deploy(watch), finish))
    yield* Deferred.await(begun)
    return telling(Mailbox.toStream(messages))
  })

const last = (exit: Exit.Exit<DeploymentRow, DeployError>, where: string): Effect.Effect<DeployMessage> =>
  Exit.match(exit, {
    onSuccess: (data) => Effect.succeed({ event: "deployment", data }),
    onFailure: (cause) => Effect.map(failureBody(cause, where), (data) => ({ event: "error", data })),
  })
