import { diagnose } from "@context-engine/core/services/Diagnosis"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { database, type Options } from "../../src/doctor/database.js"
import { eventsOf, machine } from "../support/machines.js"

const examine = async (path: string, options?: Options) =>
  (await Effect.runPromise(diagnose([database(path, options)]))).findings

describe("the check of the database", () => {
  it("says what there is little room for, and what has grown beside the file", async () => {
    const one = machine("one", undefined)
    for (const name of ["alpha", "beta", "gamma"]) {
      await one.run(Effect.flatMap(Registry, ({ servers }) => servers.add({ name })))
    }
    expect((await examine(one.path)).map(({ check, level }) => [check, level])).toEqual([
      ["integrity", "ok"],
      ["chain", "ok"],
      ["database", "ok"],
      ["disk", "ok"],
    ])
    // A part of the chain needs the event before it; all of it begins with none.
    for (const events of [1, 2, 3, 4, 5]) {
      const found = `the last ${Math.min(events, 4)} of 4 events hold`
      expect(await examine(one.path, { events })).toContainEqual({ check: "chain", level: "ok", found })
    }
    expect(eventsOf(one.path)).toHaveLength(4)
    expect(await examine(one.path, { minimumFree: Number.MAX_SAFE_INTEGER })).toContainEqual(
      expect.objectContaining({ check: "disk", level: "warning", fix: expect.stringContaining("df -h") }),
    )
    // The machine is at work, so what it wrote is still beside the file.
    expect(await examine(one.path, { maximumWal: 1_000 })).toContainEqual(
      expect.objectContaining({ check: "database", level: "warning", found: expect.stringContaining("-wal) has") }),
    )
    await one.close()
  })
})
