/** The log itself, by hand: verified, compared, taken out, brought in, rebuilt, copied and put back. */

import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync, readFileSync, statSync, watch, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { hostname } from "node:os"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { damaged } from "../../store/test/support/audited.js"
import { bundle } from "./support/bundle.js"
import { workspace } from "./support/cli.js"
import { signing } from "./support/enrolled.js"

const ws = workspace()
const at = (name: string) => join(ws.directory, name)
const key = { env: { CONTEXT_KEY: at("machine.key"), CONTEXT_ACTOR: "ada" } }

/** A machine that joins (1), a server (2), a service (3), a rename (4). */
beforeAll(async () => {
  await ws.succeed("server add alpha --ip 192.0.2.1", key)
  await ws.succeed("service add api --server alpha --port 3000", key)
  await ws.succeed("server rename alpha omega", key)
})

const tamper = (path: string, sql: string) => {
  const Native = createRequire(import.meta.url)("libsql")
  const database = new Native(path)
  database.exec(sql)
  database.close()
}

describe("audit verify", () => {
  it("says that the log holds, and whose events they are", async () => {
    const report = await ws.json("audit verify", key)
    expect(report).toMatchObject({ ok: true, events: 4, signed: 4, machines: [{ events: 4 }], head: { position: 4 } })
    expect(await ws.succeed("audit verify", key)).toContain("the log holds: 4 events")
    expect(statSync(at("machine.key")).mode & 0o777).toBe(0o600)
  })

  it("exits with 1 and names the place where it does not", async () => {
    await ws.succeed(`backup ${damaged(at("tampered.db"))}`, key)
    tamper(
      at("tampered.db"),
      "DROP TRIGGER events_no_update; UPDATE events SET meta = replace(meta, 'ada', 'eve') WHERE position = 3",
    )
    const ended = await ws.run(`audit verify --db ${at("tampered.db")}`)
    expect(ended.code).toBe(1)
    expect(ended.stdout).toContain("the event at position 3 is not the one that was written here")
    expect(ended.stdout).toContain("events_no_update is missing")
  })
})

describe("diff", () => {
  it("says what changed between two moments, with who and how", async () => {
    const { changes } = await ws.json("diff 2 4", key)
    expect(changes).toMatchObject([
      { view: "servers", name: "omega", kind: "changed", fields: [{ field: "name", before: "alpha", after: "omega" }] },
      { view: "services", name: "api", kind: "added", causes: [{ position: 3, actor: "ada", via: "cli" }] },
    ])
    const text = await ws.succeed("diff 2 4", key)
    expect(text).toContain("name: alpha → omega")
    expect(text).toContain("serverId: omega")
    expect(text).toMatch(/ServerRenamed at 4, .* by ada via cli on /)
  })

  it("goes up to now where only one is named, and refuses what is no moment", async () => {
    expect(await ws.json("diff 3", key)).toMatchObject({ from: 3, to: 4 })
    expect(await ws.run("diff tuesday")).toMatchObject({ code: 2 })
  })
})

describe("audit log", () => {
  it("tells the life of a thing under any of its names", async () => {
    const life = await ws.json("audit log alpha", key)
    expect(life.map((event: { type: string }) => event.type)).toEqual(["ServerAdded", "ServerRenamed"])
    expect(await ws.succeed("audit log omega", key)).toContain("name: alpha → omega")
    expect(await ws.run("audit log nobody")).toMatchObject({ code: 1 })
  })
})

describe("who wrote it, and who may", () => {
  const own = workspace()
  const desk = { env: { CONTEXT_KEY: join(own.directory, "desk.key"), CONTEXT_ACTOR: "ada" } }
  let job: { readonly env: Readonly<Record<string, string>> }
  let ids: Readonly<Record<string, string>>

  /** The root (1), a server (2), two machines (3, 4, 6), one of which writes (5), and is revoked (7). */
  beforeAll(async () => {
    await own.succeed("server add alpha --ip 192.0.2.1", desk)
    const [{ machineId }] = (await own.json("machine list", desk)).machines
    await own.succeed(`machine rename ${machineId} desk`, desk)
    const made = await own.json("machine add job", desk)
    job = { env: { CONTEXT_KEY: made.key, CONTEXT_ACTOR: "ada" } }
    ids = { desk: machineId, job: made.machine.machineId }
    await own.succeed("server update alpha --notes hello", job)
    await own.succeed("machine rename job build", desk)
    await own.succeed("machine revoke build --yes", desk)
  })

  it("names the machine whose key signed an event, as it is called now, not what its host says of itself", async () => {
    expect(await own.json("audit log alpha", desk)).toMatchObject([
      { position: 2, machine: "desk", key: ids.desk },
      { position: 5, machine: "build", key: ids.job },
    ])
    const text = await own.succeed("audit log alpha", desk)
    expect(text).toMatch(/ServerAdded at 2, .* by ada via cli on desk$/m)
    expect(text).toMatch(/ServerUpdated at 5, .* by ada via cli on build$/m)
    const [change] = (await own.json("diff 4 5", desk)).changes
    expect(change.causes).toMatchObject([{ position: 5, machine: "build", key: ids.job }])
  })

  it("keeps to the host's own word where nobody signed, and names no key", async () => {
    const plain = workspace()
    await plain.succeed("server add alpha")
    const [event] = await plain.json("audit log alpha")
    expect(event).toMatchObject({ machine: hostname() })
    expect(event).not.toHaveProperty("key")
  })

  it("says in diff what became of machines, and not that nothing changed", async () => {
    const { changes, machines } = await own.json("diff 5 7", desk)
    expect(changes).toEqual([])
    expect(machines).toMatchObject([
      { position: 6, type: "MachineRenamed", machine: "desk", key: ids.desk, data: { from: "job", to: "build" } },
      { position: 7, type: "MachineRevoked", machine: "desk", data: { machineId: ids.job } },
    ])
    const text = await own.succeed("diff 5 7", desk)
    expect(text).toContain("from position 5 to 7: 2 events about machines")
    expect(text).toMatch(/machine job is called build\n +MachineRenamed at 6, .* on desk/)
    expect(text).toMatch(/machine build revoked\n +MachineRevoked at 7, .* by ada via cli on desk/)
    const all = await own.succeed("diff 0", desk)
    expect(all).toContain("1 change, 5 events about machines")
    expect(all).toMatch(/the log begins with \S+ as its root/)
    expect(all).toMatch(/machine job enrolled as member/)
    expect((await own.json("diff 7 7", desk)).machines).toEqual([])
  })
})

describe("audit log of machines that were called alike", () => {
  it("says in words what became of each, and which of them it was by its key", async () => {
    const ada = signing("ada")
    await ada.succeed("server add x")
    await ada.succeed("machine add ci")
    await ada.succeed("machine rename ci ci-old")
    await ada.succeed("machine revoke ci-old --yes")
    await ada.succeed("machine add ci")
    const text = await ada.succeed("audit log ci")
    expect(text).toMatch(/MachineRenamed at \d+, .*\n +machine ci is called ci-old \(key [0-9a-f]{16}\)/)
    const told = [...text.matchAll(/^ +(machine .*) \(key ([0-9a-f]{16})\)$/gm)].map(([, what, key]) => [what, key])
    const [first, second] = [told[0]?.[1], told.at(-1)?.[1]]
    expect(first).not.toBe(second)
    expect(told).toEqual([
      ["machine ci enrolled as member", first],
      ["machine ci is called ci-old", first],
      ["machine ci-old revoked", first],
      ["machine ci enrolled as member", second],
    ])
  })
})

describe("audit export and import", () => {
  it("gives the same bytes twice, and takes them over into another log", async () => {
    const first = await ws.succeed("audit export", key)
    await ws.succeed(`audit export --into ${at("log.jsonl")}`, key)
    expect(readFileSync(at("log.jsonl"), "utf8")).toBe(first)
    expect(first.trim().split("\n").length).toBe(4)
    await ws.succeed(`audit import ${at("log.jsonl")} --db ${at("copy.db")}`)
    expect(await ws.succeed(`audit export --db ${at("copy.db")}`)).toBe(first)
    expect(await ws.json(`audit verify --db ${at("copy.db")}`)).toMatchObject({ ok: true, signed: 4 })
    await ws.succeed(`audit import - --db ${at("piped.db")}`, { input: first })
    expect(await ws.succeed(`audit export --db ${at("piped.db")}`)).toBe(first)
    expect(await ws.json(`audit verify --db ${at("piped.db")}`)).toMatchObject({ ok: true, signed: 4 })
  })

  it("refuses a broken chain, and files that are not there", async () => {
    writeFileSync(at("broken.jsonl"), readFileSync(at("log.jsonl"), "utf8").replace("omega", "evil!"))
    const ended = await ws.run(`audit import ${at("broken.jsonl")} --db ${at("none.db")}`)
    expect(ended.code).not.toBe(0)
    expect(ended.stderr).toContain("the chain breaks at position 4")
    expect((await ws.run("audit import nothing.jsonl")).stderr).toContain("there is no such file")
    expect((await ws.run(`audit import nothing.jsonl --db ${at("none.db")}`)).stderr).toContain("there is no such file")
    expect((await ws.run(`sync join --db ${at("none.db")}`)).stderr).toContain("no shared log is configured")
    expect(readdirSync(ws.directory).filter((name) => name.includes("none.db"))).toEqual([])
    expect((await ws.run(`audit export --into ${at("log.jsonl")}`)).stderr).toContain("exists already")
  })

  it("leaves no log where none was when it is killed, and goes through the next time", async () => {
    const began = new Promise<void>((resolve) => {
      const watcher = watch(ws.directory, (_, name) => {
        if (!name?.includes("killed.db")) return
        watcher.close()
        resolve()
      })
    })
    const command = [await bundle(), "infra", "audit", "import", "-", "--db", at("killed.db")]
    const child = spawn(process.execPath, command, { env: { ...process.env, HOME: ws.directory, CONTEXT_KEY: "off" } })
    await began
    child.kill("SIGKILL")
    await once(child, "close")
    expect(existsSync(at("killed.db"))).toBe(false)
    await ws.succeed(`audit import ${at("log.jsonl")} --db ${at("killed.db")}`)
    expect(await ws.json(`audit verify --db ${at("killed.db")}`)).toMatchObject({ ok: true, signed: 4 })
    expect(readdirSync(ws.directory).filter((name) => name.endsWith("unfinished"))).toEqual([])
  })
})

describe("audit replay", () => {
  it("writes a database as it was then", async () => {
    await ws.succeed(`audit replay --to 3 --into ${at("then.db")}`, key)
    const servers = await ws.json(`server list --db ${at("then.db")}`)
    expect(servers.map((server: { name: string }) => server.name)).toEqual(["alpha"])
  })
})

describe("rebuild, backup and restore", () => {
  it("mends rows, and says how many", async () => {
    await ws.succeed(`backup ${at("rows.db")}`, key)
    tamper(at("rows.db"), "UPDATE services SET port = 1")
    expect(await ws.succeed(`rebuild --db ${at("rows.db")}`)).toContain("1 row was not what the log says, and is now")
    expect(await ws.json(`rebuild --db ${at("rows.db")}`)).toMatchObject({ events: 4, differing: 0 })
  })

  it("puts a backup back, and keeps what was there", async () => {
    await ws.succeed(`backup ${at("backup.db")}`, key)
    await ws.succeed("server add beta", key)
    const refused = await ws.run(`restore ${at("backup.db")}`, key)
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.stderr).toContain("--yes")
    const { aside, events } = await ws.json(`restore ${at("backup.db")} --yes`, key)
    expect(events).toBe(4)
    expect(existsSync(aside)).toBe(true)
    expect((await ws.json("server list", key)).length).toBe(1)
    expect((await ws.json(`server list --db ${aside}`, key)).length).toBe(2)
  })

  it("builds rows anew where the events of a backup or a log hold, and says so", async () => {
    await ws.succeed(`backup ${at("odd.db")}`, key)
    tamper(at("odd.db"), "UPDATE services SET port = 1")
    const said = await ws.succeed(`restore ${at("odd.db")} --yes --db ${at("from-odd.db")}`, key)
    expect(said).toContain("1 row was not what the events say, and was built anew")
    expect(await ws.json(`audit verify --db ${at("from-odd.db")}`)).toMatchObject({ ok: true })
    await ws.succeed(`audit export --into ${at("odd.jsonl")}`, key)
    const imported = await ws.succeed(`audit import ${at("odd.jsonl")} --db ${at("odd.db")}`, key)
    expect(imported).toContain("1 row was not what the events say, and was built anew")
    expect(await ws.json(`audit verify --db ${at("odd.db")}`)).toMatchObject({ ok: true })
  })

  it("does not put a backup back that does not hold", async () => {
    const ended = await ws.run(`restore ${at("tampered.db")} --yes`, key)
    expect(ended).toMatchObject({ code: 1 })
    expect(ended.stderr).toContain("does not hold")
    expect((await ws.run("restore nothing.db --yes")).stderr).toContain("there is no file")
  })
})
