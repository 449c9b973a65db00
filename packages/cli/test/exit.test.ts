import { NotFound, RemoteError } from "@context-engine/core/Errors"
import * as Cause from "effect/Cause"
import * as FiberId from "effect/FiberId"
import { afterEach, describe, expect, it } from "vitest"
import { ending } from "../src/exit.js"
import { ExitStatus, Refused, UsageError } from "../src/usage.js"

describe("ending", () => {
  afterEach(() => {
    delete process.env.CONTEXT_DEBUG
  })

  it("breaks no word on a narrow screen", () => {
    const message = "this machine waits to be enrolled; its fingerprint there is 7g2k-m0xq-91vd-c3aa"
    const { text } = ending(
      Cause.fail(new Refused({ message, next: "context infra machine approve phone, over there" })),
      40,
    )
    expect(text.split("\n").every((line) => line.length <= 40)).toBe(true)
    expect(text).toContain("7g2k-m0xq-91vd-c3aa")
    expect(text.replace(/\s+/g, " ")).toBe(`error: ${message} context infra machine approve phone, over there`)
  })

  it("a refusal says what happened and what to do next", () => {
    const cause = Cause.fail(new NotFound({ entity: "server", name: "hetznr", suggestions: ["hetzner"] }))
    expect(ending(cause)).toEqual({
      status: 1,
      text: 'error: no server named "hetznr" — did you mean hetzner?\n  see context infra server list',
    })
    expect(ending(Cause.fail(new Refused({ message: "no" })))).toEqual({ status: 1, text: "error: no" })
  })

  it("usage is 2; a status without words is passed on", () => {
    const usage = new UsageError({ message: "--x is missing", see: "context infra y --help" })
    expect(ending(Cause.fail(usage))).toEqual({
      status: 2,
      text: "error: --x is missing\n  see context infra y --help",
    })
    expect(ending(Cause.fail(new ExitStatus({ status: 7 })))).toEqual({ status: 7, text: "" })
  })

  it("an interruption is 130 and says nothing", () => {
    expect(ending(Cause.interrupt(FiberId.none))).toEqual({ status: 130, text: "" })
  })

  it("a bug is 70: one line and how to report it, the stack only on demand", () => {
    const cause = Cause.die(new TypeError("x is not a function\nsecond line"))
    const { status, text } = ending(cause)
    expect(status).toBe(70)
    expect(text.split("\n")).toEqual([
      "bug in context: TypeError: x is not a function",
      expect.stringContaining("CONTEXT_DEBUG=1"),
    ])
    process.env.CONTEXT_DEBUG = "1"
    expect(ending(cause).text).toMatch(/exit\.test\.ts/)
  })

  it("nothing that a server says can act on the terminal or forge a line", () => {
    const error = new RemoteError({ reason: "refused", host: "h", message: "a\u001b[2Jb\nerror: forged" })
    expect(ending(Cause.fail(error)).text).toBe("error: ab error: forged")
  })
})
