import { EventLog } from "@context-engine/core/EventLog"
import { diagnose } from "@context-engine/core/services/Diagnosis"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { database, type Options } from "../../src/doctor/database.js"
import { layer } from "../../src/layer.js"
import { damaged } from "../support/audited.js"
import { serverAdded } from "../support/events.js"
import { freshPath, withSqlite } from "../support/files.js"
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
      ["log", "ok"],
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

describe("the check of the log", () => {
  const written = async (count: number) => {
    const path = freshPath()
    const appends = Array.from({ length: count }, (_, n) => ({
      stream: `server-${n}`,
      expected: 0,
      events: [serverAdded(`s${n}`)],
    }))
    await Effect.runPromise(Effect.provide(Effect.flatMap(EventLog, (log) => log.append(appends)), layer(path))) // biome-ignore format: one step
    return path
  }
  const logOf = async (path: string, options?: Options) =>
    (await examine(path, options)).filter(({ check }) => check === "log")
  const free = "DROP TRIGGER events_no_update; DROP TRIGGER events_no_delete; DROP TRIGGER events_append_only;"

  it("goes through all of it where that is soon done", async () => {
    expect(await logOf(await written(3))).toEqual([
      { check: "log", level: "ok", found: "all 3 events hold, and so do their 6 rows" },
    ])
  })

  it("says how far it came where the log is too long for a look, and what goes on from there", async () => {
    const [finding] = await logOf(await written(1_500), { budget: 0 })
    expect(finding?.level).toBe("ok")
    expect(finding?.found).toBe(
      "the first 500 of 1,500 events hold, which is as far as 0 s go; context infra audit verify goes through all of it",
    )
  })

  it.each([
    ["a row that was changed", "UPDATE servers SET os = 'x' WHERE name = 's1'", "row s1 of servers is not what the events say: os", "context infra rebuild"],
    ["rows that are gone", "DELETE FROM servers", "row s0 of servers is missing (and 2 more: context infra audit verify)", "context infra rebuild"],
    ["an event that was changed", `${free} UPDATE events SET data = replace(data, 's1', 'evil') WHERE position = 2`, "the event at position 2 is not the one that was written here", "context infra restore <backup>"],
    ["an end that was cut off", `${free} DELETE FROM events WHERE position = 3`, "the rows are those of position 3, but the log ends at 2", "where there is none, context infra rebuild"],
    ["a trigger that is gone", "DROP TRIGGER events_no_update", "events_no_update is missing", "context infra audit import log.jsonl --db <new file>"],
  ])("finds %s, and names the way out", async (_, sql, found, fix) => {
    const path = damaged(await written(3))
    withSqlite(path, (database) => database.exec(sql))
    expect((await logOf(path))[0]).toEqual({
      check: "log",
      level: "trouble",
      found: expect.stringContaining(found),
      fix: expect.stringContaining(fix),
    })
  })

  it("leaves rows alone that the next command builds anew, and files that it brings up to date", async () => {
    const path = damaged(await written(3))
    withSqlite(path, (database) =>
      database.exec("UPDATE projections SET version = 0 WHERE name = 'servers'; DELETE FROM servers"),
    )
    expect(await logOf(path)).toMatchObject([{ level: "ok", found: "all 3 events hold" }])
    withSqlite(path, (database) => database.exec("PRAGMA user_version = 1; DROP TABLE sync"))
    expect(await logOf(path)).toMatchObject([{ level: "ok", found: expect.stringContaining("of an older version") }])
  })
}) // biome-ignore format: a table of troubles
