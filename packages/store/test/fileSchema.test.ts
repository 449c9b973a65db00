import { diagnose } from "@context-engine/core/services/Diagnosis"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { database } from "../src/doctor/database.js"
import { OwnSchema } from "../src/fileSchema.js"
import { prepare } from "../src/restore.js"
import { tables } from "../src/tables.js"
import { damaged } from "./support/audited.js"
import { freshPath, withSqlite } from "./support/files.js"
import { addServers, inLog, serverNames, verify } from "./support/live.js"

const begun = async (sql: string): Promise<string> => {
  const path = damaged(freshPath())
  await inLog(path, addServers("alpha"))
  withSqlite(path, (database) => database.exec(sql))
  return path
}

const doctor = async (path: string) =>
  (await Effect.runPromise(diagnose([database(path)]))).findings.filter(({ check }) => check === "schema")

const problemsOfRestoring = (path: string) =>
  Effect.runPromise(Effect.scoped(Effect.map(prepare(path, freshPath()), ({ problems }) => problems)))

/** Whatever can be added to a file, taken from it or put in another's place. */
const strange: ReadonlyArray<readonly [what: string, sql: string, named: string]> = [
  [
    "a trigger that drops events",
    "CREATE TRIGGER x BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END",
    "trigger x",
  ],
  ["a trigger on rows", "CREATE TRIGGER x AFTER INSERT ON servers BEGIN DELETE FROM servers; END", "trigger x"],
  ["a trigger on litestream's", "CREATE TABLE _litestream_lock (id INTEGER); CREATE TRIGGER x AFTER INSERT ON _litestream_lock BEGIN DELETE FROM servers; END", "trigger x"], // biome-ignore format: one case
  ["a trigger on a double", 'CREATE TABLE "servers__new" (id TEXT); CREATE TRIGGER x AFTER INSERT ON "servers__new" BEGIN DELETE FROM servers; END', "trigger x"], // biome-ignore format: one case
  ["a view", "CREATE VIEW x AS SELECT 1", "view x"],
  ["a table", "CREATE TABLE x (a)", "table x"],
  ["a table like litestream's", "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER, more TEXT)", "table _litestream_seq"], // biome-ignore format: one case
  ["an index", "CREATE INDEX x ON events (type)", "index x"],
  ["an index that refuses", "CREATE UNIQUE INDEX x ON servers (status)", "index x"],
  ["a view in a table's place", "DROP TABLE secrets_registry; CREATE VIEW secrets_registry AS SELECT 1 AS id", "view secrets_registry"], // biome-ignore format: one case
  ["a column more", "ALTER TABLE checkpoint ADD COLUMN x TEXT", "table checkpoint"],
  ["a trigger less", "DROP TRIGGER events_no_update", "events_no_update is missing"],
  ["a weak trigger", "DROP TRIGGER events_no_delete; CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT 1; END", "trigger events_no_delete is not as it was made"], // biome-ignore format: one case
  ["a guard on another table", "DROP TRIGGER events_no_delete; CREATE TRIGGER events_no_delete BEFORE DELETE ON servers BEGIN SELECT RAISE(ABORT, 'no'); END", "trigger events_no_delete"], // biome-ignore format: one case
  ["an index less", "DROP INDEX deployments_by_service", "deployments_by_service is missing"],
]

describe("a file's schema is exactly that of a log", () => {
  it.each(strange)("%s is found: by verify, by doctor, and when it is restored", async (_, sql, named) => {
    const path = await begun(sql)
    expect((await doctor(path)).map(({ found }) => found).join()).toContain(named)
    expect((await problemsOfRestoring(path)).join()).toContain(named)
    const found = await inLog(path, Effect.either(verify)).catch((error) => error)
    // Where a table is no table any more, nothing can be compared with it.
    const said = found?._tag === "Right" ? JSON.stringify(found.right.findings) : ""
    if (!/place/.test(_)) expect(said).toContain(named)
  })

  const known: ReadonlyArray<readonly [string, string]> = [
    ["nothing more", "SELECT 1"],
    ["litestream's tables", "CREATE TABLE IF NOT EXISTS _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER); CREATE TABLE IF NOT EXISTS _litestream_lock (id INTEGER)"], // biome-ignore format: one case
    ["what SQLite counts", "ANALYZE"],
    ["a rebuild that was cut off", tables.map((table) => table.create(`${table.name}__new`)).join("\n")],
  ]

  it.each(known)("%s is as it should be", async (_, sql) => {
    const path = await begun(sql)
    expect(await doctor(path)).toEqual([])
    expect(await problemsOfRestoring(path)).toEqual([])
    expect(await inLog(path, verify)).toMatchObject({ ok: true, findings: [] })
  })

  it("with what a program has declared as its own, to that program", async () => {
    const own = ["CREATE TABLE deploy_rate (id TEXT PRIMARY KEY, deploys INTEGER) STRICT"]
    const path = await begun(own.join(";"))
    expect(await inLog(path, verify)).toMatchObject({ ok: false, findings: [{ kind: "schema" }] })
    expect(await inLog(path, Effect.provideService(verify, OwnSchema, own))).toMatchObject({ ok: true })
  })
})

describe("what is written is there, or the command fails", () => {
  const dropping = [
    ["events", "BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END"],
    ["some events", "BEFORE INSERT ON events WHEN NEW.type LIKE '%Added' BEGIN SELECT RAISE(IGNORE); END"],
    ["new rows", "BEFORE INSERT ON servers BEGIN SELECT RAISE(IGNORE); END"],
    ["rows that change", "BEFORE UPDATE ON servers BEGIN SELECT RAISE(IGNORE); END"],
    ["rows that go", "BEFORE DELETE ON servers BEGIN SELECT RAISE(IGNORE); END"],
  ] as const

  it.each(dropping)("though a trigger drops %s", async (what, trigger) => {
    const path = await begun(`CREATE TRIGGER x ${trigger}`)
    const write = Effect.gen(function* () {
      const { servers } = yield* Registry
      if (what === "rows that change") return yield* servers.update("alpha", { notes: "n" })
      if (what === "rows that go") return yield* servers.remove("alpha")
      return yield* servers.add({ name: "beta" })
    })
    const error = await inLog(path, Effect.flip(write))
    expect(error.message).toContain("did not take what was written")
    expect(await inLog(path, serverNames)).toEqual(["alpha"])
  })
})
