import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { readHolder, readStatus, wordsOf } from "../../../src/services/deployer/host/replies.js"

const isGone = (attendant: string, machine: string) => attendant === "12.34" && machine === "x"

describe("what a host replies", () => {
  it("is read where it is what the scripts say", () => {
    const commit = "a".repeat(40)
    const line = `over 1 1763800000 ${commit} no  pre:0:10.5:12 command:1:12:13.25;  cancelled by ada`
    expect(readStatus(line)).toEqual({
      exitCode: 1,
      endedAt: 1_763_800_000,
      commit,
      diskFull: true,
      steps: [
        { step: "pre", exitCode: 0, duration: 1.5 },
        { step: "command", exitCode: 1, duration: 1.25 },
      ],
      ending: "cancelled by ada",
    })
    const holder =
      'held 7 1763800000 90 01a204c2-8358-7438-b7ca-0c652ff13983 running\nholder {"actor":"ada","machine":"x","attendant":"12.34"}\n'
    expect(readHolder(wordsOf(holder), isGone)).toMatchObject({
      counter: 7,
      age: 90,
      state: "running",
      actor: "ada",
      reason: "",
      left: true,
    })
  })

  it("is never believed beyond that", () => {
    const junk = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("held", "holder {", "over 1 2 3 yes ;", "over x"),
    )
    fc.assert(
      fc.property(fc.array(junk), (parts) => {
        const text = parts.join(" ")
        const holder = readHolder(wordsOf(text), isGone)
        if (holder?.deploymentId !== undefined) expect(holder.deploymentId).toMatch(/^[0-9A-Za-z-]+$/)
        const status = readStatus(text)
        if (status?.commit !== undefined) expect(status.commit).toMatch(/^[0-9a-f]+$/)
      }),
      { numRuns: 10_000 },
    )
    expect(readHolder(wordsOf("held 1 2 3 ../../etc over\nholder null"), isGone)?.deploymentId).toBeUndefined()
  })
})
