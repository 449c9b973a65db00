/** The deploy lock, by hand, and pins. */
import * as Effect from "effect/Effect"
import { Text } from "../../domain/fields.js"
import { DeployLocked, DeployUnlocked, entity, ServicePinned, ServiceUnpinned } from "../../domain/Service.js"
import { OperationFailed } from "../../Errors.js"
import { Origin } from "../../Origin.js"
import { findService, fullName, type Placed } from "../names.js"
import { decode } from "../registry/crud.js"
import { heldBy, leftBy } from "./held.js"
import { namesOf } from "./history.js"
import type { Parts } from "./parts.js"
import type { DeployerShape } from "./types.js"

type Locking = Pick<DeployerShape, "lock" | "unlock" | "pin" | "unpin">

export const makeLock = (parts: Parts): Locking => {
  const find = (name: string) => findService(parts.models, name)
  const note = (placed: Placed, event: { readonly type: string; readonly data: unknown }) =>
    parts.commands.record(entity.aggregate, placed.service.id, [event])

  return {
    lock: Effect.fn("Deployer.lock")(function* (name, options = {}) {
      const reason = options.reason === undefined ? null : yield* decode(Text, options.reason)
      const placed = yield* find(name)
      yield* parts.commands.ready
      const { actor, machine } = yield* Origin
      const words = { actor, machine, reason: reason ?? "" }
      const { server, service } = placed
      const free = Effect.ignore(parts.ledger.unlock(server, service.name, undefined))
      // What is done on the host is noted, whoever leaves meanwhile.
      return yield* Effect.uninterruptible(
        Effect.gen(function* () {
          const ask = (inherit?: string) =>
            parts.ledger.lock(server, service.name, { holder: words, takeOver: options.takeOver ?? false, inherit })
          const first = yield* ask()
          const left = typeof first === "number" || !options.takeOver ? undefined : leftBy(first)
          const answer = left === undefined ? first : yield* ask(left)
          if (typeof answer !== "number") return yield* heldBy(placed, answer, "lock")
          const locked = note(placed, DeployLocked({ ...namesOf(placed), reason, counter: answer }))
          yield* Effect.onError(locked, () => free)
          return { service: fullName(placed), counter: answer }
        }),
      )
    }),
    unlock: Effect.fn("Deployer.unlock")(function* (name) {
      const placed = yield* find(name)
      yield* parts.commands.ready
      return yield* Effect.uninterruptible(
        Effect.gen(function* () {
          const answer = yield* parts.ledger.unlock(placed.server, placed.service.name, undefined)
          if (typeof answer !== "boolean") return yield* heldBy(placed, answer, "lock")
          if (!answer) return yield* notLocked(placed)
          yield* note(placed, DeployUnlocked(namesOf(placed)))
          return { service: fullName(placed) }
        }),
      )
    }),
    pin: Effect.fn("Deployer.pin")(function* (name, reason) {
      const checked = reason === undefined ? null : yield* decode(Text, reason)
      const placed = yield* find(name)
      const version = placed.service.currentVersion
      yield* note(placed, ServicePinned({ ...namesOf(placed), version, reason: checked }))
      return { service: fullName(placed), version }
    }),
    unpin: Effect.fn("Deployer.unpin")(function* (name) {
      const placed = yield* find(name)
      if (placed.service.pinned === null) return yield* notPinned(placed)
      yield* note(placed, ServiceUnpinned(namesOf(placed)))
      return { service: fullName(placed) }
    }),
  }
}

const notLocked = (placed: Placed) =>
  new OperationFailed({ operation: "lock", message: `${fullName(placed)} is not locked`, next: "nothing was changed" })

const notPinned = (placed: Placed) =>
  new OperationFailed({ operation: "lock", message: `${fullName(placed)} is not pinned`, next: "nothing was changed" })
