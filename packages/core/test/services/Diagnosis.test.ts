import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { type Check, diagnose, ok, trouble, warning } from "../../src/services/Diagnosis.js"

const check = (name: string, look: Check["look"]): Check => ({ name, look })

describe("a diagnosis", () => {
  it("is well where there is no trouble, also where there are warnings", async () => {
    const checks = [
      check("a", Effect.succeed([ok("a", "fine")])),
      check("b", Effect.succeed([warning("b", "hm", "do it")])),
    ]
    expect(await Effect.runPromise(diagnose(checks))).toEqual({
      ok: true,
      findings: [
        { check: "a", level: "ok", found: "fine" },
        { check: "b", level: "warning", found: "hm", fix: "do it" },
      ],
    })
  })

  it("goes on where a check fails, dies or never ends, and keeps their order", async () => {
    const checks = [
      check("fails", Effect.fail(new Error("no such thing"))),
      check("dies", Effect.die("a bug")),
      check("hangs", Effect.never),
      check("finds", Effect.succeed([trouble("finds", "something")])),
    ]
    expect(await Effect.runPromise(diagnose(checks, "50 millis"))).toEqual({
      ok: false,
      findings: [
        { check: "fails", level: "trouble", found: "could not be looked at: no such thing" },
        { check: "dies", level: "trouble", found: "could not be looked at: a bug" },
        { check: "hangs", level: "warning", found: "no answer within 50ms" },
        { check: "finds", level: "trouble", found: "something" },
      ],
    })
  })
})
