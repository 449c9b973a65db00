import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import * as Local from "../../src/Remote/Local.js"
import { Remote } from "../../src/Remote.js"
import { suite } from "./suite.js"

suite("Local", async () => ({ target: { _tag: "Local", name: "here" }, layer: Local.layer }))

describe("Local", () => {
  it("refuses targets that are reached by SSH", async () => {
    const target = { _tag: "Ssh", name: "web", endpoint: { host: "h", port: 22, user: "u" }, hostKeys: [] } as const
    const error = await Effect.flatMap(Remote, (remote) => remote.run(target, { script: "true" })).pipe(
      Effect.flip,
      Effect.provide(Local.layer),
      Effect.runPromise,
    )
    expect(error).toMatchObject({ reason: "refused", host: "web" })
  })
})
