/** A log that is shared, in whose place a backup is put: what is told of it is what is so then, whatever is pushed and pulled meanwhile. */
import { existsSync } from "node:fs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { expect, it } from "vitest"
import { prepare } from "../src/restore.js"
import { acquire } from "../src/sync/lock.js"
import { released } from "./durability/verify.js"
import { fleet } from "./support/fleet.js"
import { backupOf } from "./support/live.js"
import { add, type Machine, servers, sync } from "./support/machines.js"

/** Two machines; one has work that it has not pushed, and that a backup from before lacks. */
const late = async () => {
  const found = await fleet("laptop", "other")
  await add(found.laptop, "early")
  await sync(found.laptop)
  const backup = await backupOf(found.laptop.path)
  await add(found.laptop, "late")
  return { ...found, backup, how: { shared: true, keyPath: `${found.laptop.path}.key` } }
}

const gone = async (one: Machine) => {
  await one.close()
  await released(one.path)
}

it("a watcher at work ends first: what it pushed and pulled is no loss, and keeps nothing from being restored", async () => {
  const { backup, how, laptop, other } = await late()
  await sync(other)
  await add(other, "theirs")
  await sync(other)
  const placing = Effect.gen(function* () {
    const [watching, ready] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const watcher = Effect.gen(function* () {
      yield* acquire(laptop.path, "watch")
      yield* Deferred.succeed(ready, undefined)
      yield* Deferred.await(watching)
    }).pipe(Effect.scoped)
    const watches = yield* Effect.fork(watcher)
    yield* Deferred.await(ready)
    const restoring = yield* Effect.fork(
      Effect.scoped(
        Effect.flatMap(prepare(backup, laptop.path, how), ({ compared, place }) =>
          Effect.map(place, (placed) => ({ ...placed, compared })),
        ),
      ),
    )
    yield* Effect.promise(async () => {
      await sync(laptop)
      await gone(laptop)
    })
    yield* Deferred.succeed(watching, undefined)
    yield* Fiber.join(watches)
    return yield* Fiber.join(restoring)
  })
  const placed = await Effect.runPromise(placing)
  expect(placed).toMatchObject({ unshared: 0, compared: { likeness: "older" } })
  await sync(other)
  expect(await servers(other)).toEqual(["early", "late", "theirs"])
  await other.close()
})

it("no watcher begins while a person is asked", async () => {
  const { backup, how, laptop, other } = await late()
  const path = laptop.path
  await gone(laptop)
  // None was ever there.
  expect(existsSync(`${path}-watch`)).toBe(false)
  const free = Effect.scoped(acquire(path, "watch"))
  const asked = Effect.scoped(Effect.zipRight(prepare(backup, path, how), free))
  expect(await Effect.runPromise(asked)).toBe(false)
  expect(await Effect.runPromise(free)).toBe(true)
  await other.close()
})

it("what was shared while a person was asked is not told as lost", async () => {
  const { backup, how, laptop, other } = await late()
  const asked = Effect.flatMap(prepare(backup, laptop.path, how), ({ place }) =>
    Effect.zipRight(
      Effect.promise(() => sync(laptop).then(() => gone(laptop))),
      place,
    ),
  )
  expect(await Effect.runPromise(Effect.scoped(asked))).toMatchObject({ unshared: 0 })
  await sync(other)
  expect(await servers(other)).toEqual(["early", "late"])
  await other.close()
})

it("what never was is told", async () => {
  const { backup, how, laptop, other } = await late()
  await gone(laptop)
  const placing = Effect.scoped(Effect.flatMap(prepare(backup, laptop.path, how), ({ place }) => place))
  expect(await Effect.runPromise(placing)).toMatchObject({ unshared: 1 })
  await other.close()
})
