/** A backup that somebody had in hand: nothing but its events is believed, for only they are signed. */
import { cpSync, existsSync, rmSync, truncateSync } from "node:fs"
import { MachineEnrolled, machinesStream } from "@context-engine/core/domain/Machine"
import { isEnrolled } from "@context-engine/core/domain/Membership"
import { Machines } from "@context-engine/core/services/Machines"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { type Connection, NativeConnection } from "../src/connection.js"
import { prepare, restore } from "../src/restore.js"
import * as SqlMachines from "../src/SqlMachines.js"
import { readMembership } from "../src/trust/membership.js"
import { damaged, withNoise } from "./support/audited.js"
import { enrol, revoke } from "./support/enrolment.js"
import { freshPath } from "./support/files.js"
import { draft, signed, slipIn, stranger, unsigned } from "./support/forger.js"
import { inLog, serverNames, verify } from "./support/live.js"
import { beginLog, give, machine, rowsHash, signerOf } from "./support/machines.js"

const lost = stranger("lost")
const mallory = stranger("mallory")

const on = <A>(path: string, use: (connection: Connection) => A): A => {
  const connection = new NativeConnection(path, 1_000)
  try {
    return use(connection)
  } finally {
    connection.close()
  }
}

/** A log with a machine that was revoked, and a copy of it. */
const begun = async () => {
  const a = machine("a", undefined)
  const root = await beginLog(a)
  for (const name of ["alpha", "beta"]) await give(a, (r) => r.servers.add({ name }))
  await a.run(enrol(lost, "admin"))
  await a.run(revoke(lost))
  await a.close()
  const backup = `${freshPath()}`
  cpSync(a.path, backup)
  return { a, backup: damaged(backup), root, signer: signerOf(a) }
}

const positionOf = (connection: Connection, type: string): number =>
  connection.prepare("SELECT position FROM events WHERE type = ? ORDER BY position DESC").get(type)[0]

/** All that a file holds beside its events, as far as it is made from them. */
const derived = (path: string) =>
  on(path, (connection) => [
    rowsHash(path),
    ...["inert", "breaks", "clock_steps", "chains", "sync_rows"].map((table) =>
      connection.prepare(`SELECT * FROM ${table} ORDER BY 1`).all(),
    ),
    connection.prepare("SELECT event_id, accepted_at IS NULL FROM roots ORDER BY 1").all(),
    connection.prepare("SELECT * FROM sync").all(),
  ])

const doctored: Readonly<Record<string, (connection: Connection) => void>> = {
  "a revocation that is kept as one that counts for nothing": (c) =>
    c.prepare("INSERT INTO inert VALUES (?, 'x')").run(positionOf(c, "MachineRevoked")),
  "a server that is kept as one that counts for nothing": (c) =>
    c.prepare("INSERT INTO inert VALUES (?, 'x')").run(positionOf(c, "ServerAdded")),
  "a root that nobody accepted, who has no name": (c) => c.exec("UPDATE roots SET accepted_at = NULL"),
  "another end of a session": (c) => c.exec("UPDATE chains SET number = 99, unit = 'x'"),
  "a break that never was": (c) => c.exec("INSERT INTO breaks VALUES (2, 'x')"),
  "a clock that never went back": (c) => c.exec("INSERT INTO clock_steps VALUES (2)"),
  "rows to go back to": (c) => c.exec(`INSERT INTO sync_rows VALUES ('servers', 'x', 1, '{"id":"x"}')`),
  "another hash of what is shared": (c) => c.exec("UPDATE sync SET hash = 'e'"),
  "another length of the shared log": (c) => c.exec("UPDATE sync SET remote_head = 9000000000000000"),
  "what only a newer version would know": (c) => c.exec(`UPDATE sync SET unknown = '["Foo@9"]'`),
  "a trouble that never was": (c) =>
    c.exec(`UPDATE sync SET error = '{"reason":"foreign","message":"x","at":"2026-01-01"}'`),
  "a clock that was wrong, on another machine": (c) =>
    c.exec("UPDATE sync SET skew = 31536000000, measured_at = 1, started_at = 1"),
  "a contact at no time": (c) => c.exec("UPDATE sync SET contacted_at = 'x'"),
  "more rebases than any number can count": (c) => c.exec("UPDATE sync SET rebases = 9007199254740993"),
  "other rows": (c) => c.exec("UPDATE servers SET notes = 'x'"),
}

describe("a doctored backup is made what its events say", () => {
  it.each(Object.keys(doctored))("%s", async (what) => {
    const { a, backup } = await begun()
    const path = freshPath()
    await Effect.runPromise(restore(a.path, path))
    const honest = derived(path)
    on(backup, (connection) => doctored[what]?.(connection))
    const restored = freshPath()
    await Effect.runPromise(restore(backup, restored))
    expect(derived(restored)).toEqual(honest)
    expect(on(restored, (c) => isEnrolled(readMembership(c), lost.id))).toBe(false)
    expect(await inLog(restored, serverNames)).toEqual(["alpha", "beta"])
    expect(await inLog(restored, verify)).toMatchObject({ ok: true, inert: 0 })
  })

  it("how wrong a clock is is said by the log that is there: it is the same machine's", async () => {
    const { a, backup } = await begun()
    await a.close()
    on(backup, (c) => c.exec("UPDATE sync SET skew = 31536000000, measured_at = 1, started_at = 1"))
    on(a.path, (c) => c.exec("UPDATE sync SET skew = -4000, measured_at = 3, started_at = 2"))
    // A copy that no connection of this process has had open: only such a one can be replaced at once.
    const there = freshPath()
    for (const end of ["", "-wal"]) if (existsSync(a.path + end)) cpSync(a.path + end, there + end)
    await Effect.runPromise(restore(backup, there))
    expect(on(there, (c) => c.prepare("SELECT skew, measured_at, started_at FROM sync").get())).toEqual([-4000, 3, 2])
  })

  it("what others decided was shared, however little of the log the file says it was", async () => {
    const { a, backup } = await begun()
    await a.close()
    on(backup, (c) =>
      c.exec(`UPDATE sync SET log_id = 'log', position = ${positionOf(c, "MachineRevoked") - 1}, recorded = 0`),
    )
    const [own, others] = [freshPath(), freshPath()]
    const restoredAs = (path: string, keyPath: string) =>
      Effect.runPromise(Effect.scoped(Effect.flatMap(prepare(backup, path, { keyPath }), ({ place }) => place)))
    await restoredAs(own, `${a.path}.key`)
    await restoredAs(others, `${others}.key`)
    const displaced = (path: string) =>
      on(path, (c) => JSON.parse(c.prepare("SELECT displaced FROM sync").get()[0]).length)
    // Its own it may have decided while the log was alone.
    expect([own, others].map(displaced)).toEqual([0, 1])
  })

  it("a root counts where a person on this machine accepted it, not where the file says so", async () => {
    const { a, backup } = await begun()
    await a.close()
    rmSync(`${a.path}.key`)
    const later = machine("later", undefined, { path: a.path })
    await later.run(
      Effect.flatMap(Machines, (service) => service.beginRoot(false)).pipe(
        Effect.provide(SqlMachines.layer({ keyPath: `${a.path}.key` })),
      ),
    )
    await give(later, (r) => r.servers.add({ name: "gamma" }))
    await later.close()
    const second = `${freshPath()}`
    cpSync(a.path, second)
    const place = (path: string, keyPath?: string) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.flatMap(prepare(second, path, keyPath === undefined ? {} : { keyPath }), (found) =>
            Effect.as(found.place, found.rootWaits),
          ),
        ),
      )
    // Over the log from before: nobody there has accepted it.
    const before = withNoise(freshPath())
    cpSync(backup, before)
    expect(await place(before)).toBe(true)
    expect(await inLog(before, serverNames)).toEqual(["alpha", "beta"])
    // On the machine that began it, and over a log in which it was accepted.
    expect(await place(freshPath(), `${a.path}.key`)).toBe(false)
    const accepted = freshPath()
    cpSync(a.path, accepted)
    expect(await place(accepted)).toBe(false)
    expect(await inLog(accepted, serverNames)).toEqual(["alpha", "beta", "gamma"])
  })

  it("what was forged into it counts for nothing, though the file says that it does", async () => {
    const { backup, root, signer } = await begun()
    const data = { machineId: mallory.id, name: mallory.name, publicKey: mallory.publicKey, role: "admin" }
    const { schema, type } = MachineEnrolled
    on(backup, (connection) => {
      for (const forged of [draft({ stream: machinesStream, type, schema, body: data }), draft()])
        slipIn(connection, signed([forged], { ...mallory, id: signer.id }, root))
      connection.exec("UPDATE checkpoint SET position = (SELECT max(position) FROM events)")
    })
    expect(on(backup, (c) => isEnrolled(readMembership(c), mallory.id))).toBe(true)
    expect((await inLog(backup, verify)).findings.filter(({ kind }) => kind === "damage").length).toBe(2)
    const path = withNoise(freshPath())
    await Effect.runPromise(restore(backup, path))
    expect(on(path, (c) => isEnrolled(readMembership(c), mallory.id))).toBe(false)
    expect(await inLog(path, serverNames)).toEqual(["alpha", "beta"])
    expect((await inLog(path, verify)).findings.map(({ kind }) => kind)).toEqual(["inert", "inert"])
  })

  it.each([
    ["UPDATE sync SET position = 999", /says that 999 events of it are shared, and it has \d/],
    ["UPDATE sync SET recorded = -1", /says that -1 events of it are shared/],
    ["DELETE FROM sync", /table sync has 0 rows, where one belongs/],
    ["INSERT INTO checkpoint SELECT * FROM checkpoint", /table checkpoint has 2 rows, where one belongs/],
    ["UPDATE sync SET unknown = '{bad'", /row of the table sync is not as a log has it/],
    ["UPDATE sync SET error = '7'", /row of the table sync is not as a log has it/],
  ])("is refused where no log of ours could be so: %s", async (statement, words) => {
    const { backup } = await begun()
    on(backup, (connection) => connection.exec(statement))
    const refused = await Effect.runPromise(Effect.flip(restore(backup, freshPath())))
    expect(refused.message).toMatch(words)
    expect(refused.message).toContain(backup)
    expect(refused.message).not.toContain("unfinished")
  })

  it.each([false, true])(
    "nothing that waits in it is this machine's unless a key of the log signed it (claims a key: %s)",
    async (claims) => {
      const { backup, root } = await begun()
      on(backup, (connection) => {
        connection.exec("UPDATE sync SET recorded = (SELECT max(position) FROM events)")
        slipIn(connection, claims ? signed([draft()], mallory, root) : unsigned([draft()]))
        connection.exec("UPDATE checkpoint SET position = (SELECT max(position) FROM events)")
      })
      const refused = await Effect.runPromise(Effect.flip(restore(backup, freshPath())))
      expect(refused.message).toContain(
        claims ? "passed on as this machine's own work" : "is not signed, and this log is",
      )
    },
  )

  it.each([100, 8_192, 20_000])("takes the place of a log that was cut off after %i bytes", async (size) => {
    const { a, backup } = await begun()
    const path = damaged(freshPath())
    cpSync(a.path, path)
    truncateSync(path, size)
    const aside = await Effect.runPromise(restore(backup, path))
    expect(aside).not.toBeNull()
    expect(await inLog(path, serverNames)).toEqual(["alpha", "beta"])
  })
})
