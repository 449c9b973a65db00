/** Who may write: from nothing to a laptop, a server, a phone and a job on one log, with a real server between them. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { forge, forgeRoot, invited, itself, type Signing, signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld.close())

const print = /[0-9a-z]{4}(-[0-9a-z]{4}){3}/
const names = (rows: ReadonlyArray<{ readonly name: string }>) => rows.map(({ name }) => name).sort()

/** Whoever asks how this machine stands is told the same. */
const sameWayOut = async (on: Signing, next: string) => {
  const [alert] = await on.json("alert")
  expect(alert.next).toBe(next)
  expect((await on.run("sync status")).stdout).toContain(next)
  expect((await on.json("doctor")).findings).toContainEqual(
    expect.objectContaining({ check: "sync", level: "trouble", fix: next }),
  )
}

describe("machines of one log", () => {
  const laptop = signing("ada")
  const server = signing("sam")
  const phone = signing("eve")
  const servers = async (on: typeof laptop) => names(await on.json("server list"))

  it("has the key that begins it for its root", async () => {
    await laptop.succeed("server add alpha --ip 10.0.0.1", { env: { CONTEXT_SYNC: "off" } })
    await laptop.succeed(`sync connect ${sqld.url}`, token(sqld))
    const { invites, machines, pendingRoots } = await laptop.json("machine list")
    expect(machines).toMatchObject([{ role: "admin", status: "enrolled", root: true, here: true }])
    expect(machines[0].fingerprint).toMatch(print)
    expect([invites, pendingRoots]).toEqual([[], []])
    await laptop.succeed(`machine rename ${machines[0].machineId.slice(0, 6)} laptop`)
    expect(await laptop.succeed("machine list")).toMatch(/laptop +admin, root +enrolled +\S+ +\d+ +this machine/)
  })

  it("says so where what is decided stays here", async () => {
    const alone = await laptop.run("machine add nightly", { env: { CONTEXT_SYNC: "off" } })
    expect(alone).toMatchObject({ code: 0, stderr: expect.stringContaining("with nobody else yet: CONTEXT_SYNC=off") })
    expect(await laptop.run("machine revoke nightly --yes")).toMatchObject({ code: 0, stderr: "" })
  })

  it("lets in who has a code, once, and refuses it to the next", async () => {
    const made = await laptop.run("sync invite")
    expect(made).toMatchObject({ code: 0, stderr: "" })
    expect(made.stdout).toContain(`context infra sync connect ${sqld.url} --invite `)
    const code = /--invite (\S+)/.exec(made.stdout)?.[1] as string
    expect((await laptop.json("machine list")).invites).toMatchObject([{ role: "member", uses: 1, left: 1 }])
    await server.succeed(`sync connect ${sqld.url} --invite ${code}`, token(sqld))
    expect(await servers(server)).toEqual(["alpha"])
    expect(await itself(server)).toMatchObject({ status: "enrolled", role: "member" })
    await server.succeed("server add beta --ip 10.0.0.2 --wait-sync")
    const late = await phone.run(`sync connect ${sqld.url} --invite ${code}`, token(sqld))
    expect(late.code).toBe(1)
    expect(late.stderr).toContain("used up, withdrawn or has expired")
    expect((await laptop.json("machine list")).invites).toEqual([])
    expect(await laptop.json("sync now")).toMatchObject({ rejected: [] })
    expect(await servers(laptop)).toEqual(["alpha", "beta"])
  })

  it("refuses a code that is none, was withdrawn, has expired, or is of another log", async () => {
    const refusal = async (code: string) => {
      const { code: status, stderr } = await phone.run(`sync connect ${sqld.url} --invite ${code}`, token(sqld))
      expect(status).toBe(1)
      return stderr
    }
    expect(await refusal("nonsense")).toContain("this is no invite")
    const { code } = await laptop.json("sync invite --uses 3 --expires 90d")
    const [{ inviteId }] = (await laptop.json("machine list")).invites
    expect(await laptop.succeed(`sync invite withdraw ${inviteId.slice(0, 5)}`)).toContain("withdrew")
    expect(await refusal(code)).toContain("used up, withdrawn or has expired")
    const short = await laptop.json("sync invite --expires 1s")
    await expect.poll(() => Date.now() > Date.parse(short.expiresAt), { timeout: 5_000 }).toBe(true)
    expect(await refusal(short.code)).toContain("used up, withdrawn or has expired")
    const stranger = signing("mal", { CONTEXT_SYNC: "off" })
    await stranger.succeed("server add gamma --ip 10.0.0.3")
    expect(await refusal((await stranger.json("sync invite")).code)).toContain("for another log")
    expect((await laptop.run("sync invite withdraw")).code).toBe(2)
    expect((await laptop.run("sync invite --uses 0")).stderr).toContain("--uses")
    expect(await laptop.run("sync invite --expires soon")).toMatchObject({ code: 2 })
  })

  it("lets who comes without a code wait, with a fingerprint, until an admin approves it", async () => {
    const asked = await phone.run(`sync connect ${sqld.url}`, token(sqld))
    expect(asked).toMatchObject({ code: 0, stderr: "" })
    expect(asked.stdout).toContain("waits to be enrolled")
    const { fingerprint, name } = await itself(phone)
    expect(asked.stdout).toContain(fingerprint)
    expect(asked.stdout).toContain(`context infra machine approve ${name}`)
    expect(await phone.json(`sync connect ${sqld.url}`, token(sqld))).toMatchObject({
      waiting: true,
      name,
      fingerprint,
    })
    await phone.succeed("server add delta --ip 10.0.0.4")
    const now = await phone.run("sync now")
    expect(now.code).toBe(1)
    expect(now.stderr).toContain(`machine approve ${name}`)
    expect(await phone.json("alert")).toMatchObject([{ kind: "sync", severity: "warning" }])
    await sameWayOut(
      phone,
      `context infra machine approve ${name}, on an admin machine (laptop); if the keys of all of those are lost, context infra machine root --keys-lost`,
    )
    expect((await phone.json("sync status")).enrolment).toBe("waiting")
    expect((await phone.json("doctor")).findings).toContainEqual(
      expect.objectContaining({ check: "key", level: "warning", found: expect.stringContaining(fingerprint) }),
    )

    expect((await server.run(`machine approve ${name} --yes`)).stderr).toContain("only an admin machine")
    expect(await laptop.succeed("machine list")).toContain(`! ${name} waits to be enrolled`)
    expect((await laptop.run(`machine approve ${name}`)).stderr).toContain(fingerprint)
    let typed = false
    const shown = await laptop.run(`machine approve ${fingerprint.slice(0, 9)}`, {
      terminal: true,
      watch: (soFar, _, type) => {
        if (typed || !soFar.includes("[y/N]")) return
        typed = true
        type("y\n")
      },
    })
    expect(shown.stdout).toContain(`${name} (${fingerprint}) is enrolled as member`)
    expect(await phone.json("sync now")).toMatchObject({ pending: 0 })
    await laptop.succeed("sync now")
    expect(await servers(laptop)).toEqual(["alpha", "beta", "delta"])
    expect((await laptop.run(`machine approve ${name} --yes`)).stderr).toContain("enrolled already")
    expect((await laptop.run("machine approve nobody --yes")).stderr).toContain('no machine named "nobody"')
    await laptop.succeed(`machine rename ${name} phone`)
  })

  it("gives a job a key that is printed once, and that no child gets", async () => {
    const { key } = await laptop.json("machine add ci")
    const secret = token(sqld).input
    const job = signing("ci", {
      CONTEXT_KEY: key,
      CONTEXT_SYNC: "remote",
      TURSO_URL: sqld.url,
      TURSO_AUTH_TOKEN: secret,
    })
    expect(await job.run("server add epsilon --ip 10.0.0.5")).toMatchObject({ code: 0, stderr: "" })
    await laptop.succeed("sync now")
    expect(await servers(laptop)).toContain("epsilon")
    await job.succeed("server add here --local")
    const env = await job.succeed("server run here -- env")
    expect(env).not.toContain(key)
    for (const line of ["doctor", "machine list", "sync status --json"]) {
      const { stderr, stdout } = await job.run(line)
      expect(stdout + stderr, line).not.toContain(key)
    }
    const damaged = await job.run("server list", { env: { CONTEXT_KEY: key.slice(0, -4) } })
    expect(damaged).toMatchObject({ code: 1, stderr: expect.stringContaining("machine add") })
    expect((await laptop.json("machine list")).machines).toContainEqual(
      expect.objectContaining({ name: "ci", status: "enrolled", role: "member" }),
    )
    expect((await laptop.run("machine add ci")).stderr).toContain("there already")
  })

  it("keeps a job from a log that somebody put in the place of its own", async () => {
    const { key } = await laptop.json("machine add other")
    const rogue = await startSqld()
    const owner = signing("mal")
    await owner.succeed("server add trap --local", { env: { CONTEXT_SYNC: "off" } })
    await owner.succeed(`sync connect ${rogue.url}`, token(rogue))
    const env = { CONTEXT_KEY: key, CONTEXT_SYNC: "remote", TURSO_URL: rogue.url, TURSO_AUTH_TOKEN: token(rogue).input }
    const fooled = await signing("ci", env).run("server run trap -- true")
    await rogue.close()
    expect(fooled.code).toBe(1)
    expect(fooled.stderr).toContain("not the one that the key in CONTEXT_KEY was made for")
  })

  it("withholds what a revoked machine writes, and keeps what it wrote before", async () => {
    await phone.succeed("server add late --ip 10.0.0.6", { env: { CONTEXT_SYNC: "off" } })
    const asked = await laptop.run("machine revoke phone")
    expect(asked.code).toBe(1)
    expect(asked.stderr).toContain("What it wrote before stays")
    const said = await laptop.succeed("machine revoke phone --yes")
    expect(said).toContain("revoked phone")
    expect(said).not.toContain("let in")
    const now = await phone.run("sync now")
    expect(now.code).toBe(1)
    expect(now.stderr).toContain("this machine was revoked")
    await laptop.succeed("sync now")
    expect(await servers(laptop)).not.toContain("late")
    expect(await servers(laptop)).toContain("delta")
    expect((await phone.json("sync status")).enrolment).toBe("revoked")
    const audit = await phone.run("audit verify")
    expect(audit).toMatchObject({ code: 0, stdout: expect.stringMatching(/ 0 unsigned\n! 1 event was written after/) })
    expect((await phone.json("doctor")).ok).toBe(false)
    const [alert] = await phone.json("alert")
    await sameWayOut(phone, alert.next)
    expect(alert.next).toMatch(
      /^mv \S*machine\.key \S*machine\.key\.old, then context infra sync connect <url> --invite/,
    )
    expect((await laptop.run("machine revoke phone --yes")).stderr).toContain("revoked already")
    expect((await laptop.json("audit verify")).ok).toBe(true)
  })

  it("shows an event that was forged with the token alone, until an admin has seen it", async () => {
    await forge(sqld, "ServerAdded", { name: "mallory" })
    await laptop.succeed("sync now")
    expect(await servers(laptop)).not.toContain("mallory")
    const [alert] = await laptop.json("alert")
    expect(alert).toMatchObject({
      kind: "sync",
      severity: "error",
      next: expect.stringContaining("machine acknowledge"),
    })
    expect(alert.message).toMatch(/"ServerAdded" at \d+, which says it is of "root@vm"/)
    const status = await laptop.run("sync status")
    expect(status).toMatchObject({ code: 1, stdout: expect.stringContaining("1 event counts for nothing") })
    const audit = await laptop.run("audit verify")
    expect(audit).toMatchObject({ code: 1, stdout: expect.stringContaining("root: laptop") })
    expect(audit.stdout).toContain("machine acknowledge")
    expect((await server.run("machine acknowledge --yes")).stderr).toContain("only an admin machine")
    expect(await laptop.json("machine acknowledge --yes")).toEqual({ acknowledged: 1 })
    expect(await laptop.json("machine acknowledge --yes")).toEqual({ acknowledged: 0 })
    expect(await laptop.json("alert")).toEqual([])
    expect(await laptop.run("sync status")).toMatchObject({ code: 0 })
    expect(await laptop.run("audit verify")).toMatchObject({ code: 0 })
  })

  it("goes on when every key is lost: a new root, which each of the others asks its person about", async () => {
    await laptop.succeed("machine rename laptop old")
    await laptop.succeed("sync now")
    await server.succeed("sync now")
    const env = { CONTEXT_KEY: `${laptop.db}.new` }
    const asked = await laptop.run("machine root --only-this", { env })
    expect(asked.stderr).toContain("add --keys-lost, and --yes where nobody can be asked")
    const begun = await laptop.json("machine root --yes --keys-lost", { env })
    expect(begun).toMatchObject({ root: true, role: "admin" })
    expect(begun.beside.length).toBeGreaterThan(0)
    await server.run("sync now")
    const listed = await server.succeed("machine list")
    expect(listed).toContain(`context infra machine trust ${begun.fingerprint}`)
    for (const line of ["alert", "doctor", "sync status"]) {
      const { code, stdout } = await server.run(line)
      expect([line, code]).toEqual([line, 1])
      expect(stdout, line).toContain(`context infra machine trust ${begun.fingerprint}`)
      expect(stdout, line).not.toContain("machine acknowledge")
    }
    // It goes on meanwhile. What it writes counts for nobody under the new root, until it is written anew under it.
    await server.succeed("server add eta --ip 10.0.0.8 --wait-sync")
    await laptop.succeed("sync now", { env })
    expect(await servers(laptop)).not.toContain("eta")
    expect((await server.run(`machine trust ${begun.fingerprint}`)).code).toBe(1)
    await server.succeed(`machine trust ${begun.fingerprint} --yes`)
    expect((await server.json("machine list")).pendingRoots).toEqual([])
    await server.succeed("server add zeta --ip 10.0.0.7 --wait-sync")
    await laptop.succeed("sync now", { env })
    expect(await servers(laptop)).toEqual(expect.arrayContaining(["eta", "zeta"]))
    expect((await laptop.run("sync status", { env })).stdout).toContain("signed it under the root before this one")
    expect(await laptop.json("machine acknowledge --yes", { env })).toEqual({ acknowledged: 1 })
    await server.succeed("sync now")
    for (const one of [laptop, server])
      expect((await one.json("audit verify", { env: one === laptop ? env : {} })).ok).toBe(true)
    // An invite names the root that it is under: who comes by it need not be asked.
    const desk = signing("dan")
    await invited(desk, { json: (line) => laptop.json(line, { env }) }, sqld)
    expect(await itself(desk)).toMatchObject({ status: "enrolled" })
    expect((await desk.json("machine list")).pendingRoots).toEqual([])
    expect(await desk.json("server list")).toEqual(await server.json("server list"))
  })

  it("says of a log that has nothing yet that the first write begins it", async () => {
    const fresh = signing("eva", { CONTEXT_SYNC: "off" })
    expect(await fresh.succeed("machine list")).toContain("the first thing that is written to this log begins it")
    await fresh.succeed("server add solo --ip 10.0.0.9")
    expect(await fresh.succeed("machine list")).toContain("admin, root")
  })

  it("says of a log that is not signed that nobody is enrolled", async () => {
    const alone = signing("una", { CONTEXT_KEY: "off", CONTEXT_SYNC: "off" })
    await alone.succeed("server add solo --ip 10.0.0.9")
    expect(await alone.succeed("machine list")).toContain("context infra machine root")
    expect(await alone.succeed("audit verify")).toContain("an unsigned log")
    const refused = await alone.run("machine add ci")
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("CONTEXT_KEY=off") })
  })

  it("turns down a root that somebody began in it with the token alone, and goes on", async () => {
    const other = await startSqld()
    const alone = signing("una", { CONTEXT_KEY: "off" })
    await alone.succeed("server add solo --ip 10.0.0.9", { env: { CONTEXT_SYNC: "off" } })
    await alone.succeed(`sync connect ${other.url}`, token(other))
    await forgeRoot(other, "mallory", 1)
    await forgeRoot(other, "mal", 2)
    const stopped = await alone.run("sync now")
    expect(stopped.code).toBe(1)
    expect(stopped.stderr).toContain("context infra machine acknowledge --roots")
    expect(await alone.json("machine acknowledge --roots --yes")).toEqual({ acknowledged: 1 })
    await alone.succeed("server add duo --ip 10.0.0.10 --wait-sync")
    expect(await servers(alone)).toEqual(["duo", "solo"])
    await other.close()
  })
})
