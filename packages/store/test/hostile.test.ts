import { readFileSync } from "node:fs"
import { Commands } from "@context-engine/core/Commands"
import * as Dependency from "@context-engine/core/domain/Dependency"
import type { Entity } from "@context-engine/core/domain/Entity"
import * as InfraEvent from "@context-engine/core/domain/InfraEvent"
import * as Route from "@context-engine/core/domain/Route"
import * as Secret from "@context-engine/core/domain/Secret"
import * as Server from "@context-engine/core/domain/Server"
import * as Service from "@context-engine/core/domain/Service"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Audit } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { layer } from "../src/layer.js"
import * as SqlAudit from "../src/SqlAudit.js"
import { freshPath } from "./support/files.js"

/** Text that has broken other programs. */
const hostile = [
  "'; DROP TABLE events; --",
  '"quoted" \\ back\\slashed',
  "$(touch pwned) `id` ; rm -rf /",
  "a\u0000b",
  "\u001b[2J\u001b]0;title\u0007",
  "\u202eright to left\u202c مرحبا",
  "👩‍👩‍👧‍👦 ﷽ ẞ",
  "\ud800",
  "\udc00 low",
  "\ufeff\u2028\u2029",
  "line\nfeed\ttab",
  "x".repeat(1_000_000),
  "",
  " ",
]

const entities: ReadonlyArray<readonly [Entity<string, any, any>, view: keyof ReadModels["Type"]]> = [
  [Server.entity as never, "servers"],
  [Service.entity as never, "services"],
  [Route.entity as never, "routes"],
  [Dependency.entity as never, "dependencies"],
  [Secret.entity as never, "secrets"],
  [InfraEvent.entity as never, "infraEvents"],
]

const sample = (entity: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../../core/test/fixtures/events/${entity}Added.v1.json`, import.meta.url), "utf8"))

/** The same data with a text in the place of every value that may hold text, one at a time: in lists and objects, too. */
const variants = (data: Record<string, unknown>, text: string): ReadonlyArray<Record<string, unknown>> =>
  Object.entries(data).flatMap(([field, value]) => {
    if (value === null || typeof value === "string") return [{ ...data, [field]: text }]
    if (Array.isArray(value)) return [{ ...data, [field]: [text] }]
    if (typeof value !== "object") return []
    return Object.keys(value).map((inner) => ({ ...data, [field]: { ...value, [inner]: text } }))
  })

describe("hostile text in every field of everything there is", () => {
  for (const [entity, view] of entities) {
    it(`${entity.entity}: comes back as it was, or is refused with a reason`, async () => {
      let [kept, refused] = [0, 0]
      const story = Effect.gen(function* () {
        const commands = yield* Commands
        const models = yield* ReadModels
        for (const data of hostile.flatMap((text) => variants(sample(entity.entity), text))) {
          const decoded = Schema.decodeUnknownEither(entity.input)(data)
          if (Either.isLeft(decoded)) {
            expect(decoded.left.message.length).toBeGreaterThan(10)
            refused += 1
            continue
          }
          const id = `${kept}`
          const aggregate = entity.aggregate as never
          // Names are unique: what was kept before makes room.
          const command = (what: unknown) =>
            commands.execute(Effect.succeed([{ aggregate, id, command: what as never }]))
          yield* command({ _tag: "Add", data: decoded.right })
          const row = yield* (models[view] as { get: (id: string) => Effect.Effect<any, any> }).get(id)
          expect(row).toMatchObject(decoded.right as object)
          yield* command({ _tag: "Remove" })
          kept += 1
        }
        expect(yield* Effect.flatMap(Audit, (audit) => audit.verify())).toMatchObject({ ok: true })
      })
      await Effect.runPromise(story.pipe(Effect.provide(SqlAudit.layer.pipe(Layer.provideMerge(layer(freshPath()))))))
      expect(kept).toBeGreaterThan(5)
      expect(refused).toBeGreaterThan(20)
    })
  }
})
