/** The first hour of a machine on a shared log, and its last: what it says of itself is what everybody else finds. */
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { invited, itself, type Signing, signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld.close())

const names = async (on: Signing) =>
  (await on.json("server list")).map(({ name }: { readonly name: string }) => name).sort()
const found = async (on: Signing, check: string, env: Readonly<Record<string, string>> = {}) => {
  const { findings } = await on.json("doctor", { env })
  return findings.filter((one: { readonly check: string }) => one.check === check)
}

const laptop = signing("ada")
const server = signing("sam")

it("a machine that connects to an empty log first is its root with the first thing that it writes", async () => {
  await laptop.succeed(`sync connect ${sqld.url}`, token(sqld))
  await laptop.succeed("server add alpha --ip 10.0.0.1 --wait-sync")
  expect(await itself(laptop)).toMatchObject({ root: true, role: "admin", status: "enrolled" })
  expect(await laptop.json("alert")).toEqual([])
  expect((await laptop.run("audit verify")).code).toBe(0)
  await invited(server, laptop, sqld)
  expect(await names(server)).toEqual(["alpha"])
})

it("a machine that came under the name of another is found by the name it is called since, which no event gave it", async () => {
  const { machineId, name } = await itself(server)
  expect(name).toMatch(/-[0-9a-f]{8}$/)
  await laptop.succeed("sync now")
  const life = await laptop.json(`audit log ${name}`)
  expect(life.length).toBeGreaterThan(0)
  expect(life.map(({ data }: { readonly data: { readonly machineId: string } }) => data.machineId)).toEqual(
    life.map(() => machineId),
  )
})

it("an invite that is refused leaves a new machine connected to nothing, and the next attempt goes through", async () => {
  const phone = signing("eve")
  const { code } = await laptop.json("sync invite --uses 1")
  const other = signing("dan")
  await other.succeed(`sync connect ${sqld.url} --invite ${code}`, token(sqld))
  const refused = await phone.run(`sync connect ${sqld.url} --invite ${code}`, token(sqld))
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain("used up, withdrawn or has expired")
  expect(refused.stderr).toContain("connected to nothing")
  expect(await phone.json("sync status")).toMatchObject({ remote: null, logId: null, pending: 0 })
  await invited(phone, laptop, sqld)
  expect(await itself(phone)).toMatchObject({ status: "enrolled" })
  // Where it is connected already, it stays so, and that is said.
  const again = signing("una")
  await again.succeed(`sync connect ${sqld.url}`, token(sqld))
  const late = await again.run(`sync connect ${sqld.url} --invite ${code}`, token(sqld))
  expect(late.code).toBe(1)
  expect(late.stderr).toContain("connected as it was before")
  expect((await again.json("sync status")).logId).not.toBe(null)
  // It waits, and whoever may let it in is told so without asking; a member is not.
  const { fingerprint, name } = await itself(again)
  await laptop.succeed("sync now")
  await server.succeed("sync now")
  const [alert, ...others] = await laptop.json("alert")
  expect(alert).toMatchObject({ kind: "sync", severity: "warning" })
  expect(alert.message).toContain(`${name} asks to write to this log; its fingerprint is ${fingerprint}`)
  expect(others).toEqual([])
  expect((await laptop.run("sync status")).stdout).toContain(`${name}: context infra machine list`)
  expect(await server.json("alert")).toEqual([])
  await laptop.succeed(`machine revoke ${fingerprint} --yes`)
  expect(await laptop.json("alert")).toEqual([])
})

it("a machine that was disconnected goes back to the log that it knows without being asked, with what it wrote meanwhile", async () => {
  await server.succeed("sync now")
  await server.succeed("sync disconnect")
  await laptop.succeed("server add beta --ip 10.0.0.2 --wait-sync")
  await server.succeed("server add gamma --ip 10.0.0.3")
  expect((await server.run("audit verify")).code).toBe(0)
  const back = await server.run(`sync connect ${sqld.url}`, token(sqld))
  expect(back).toMatchObject({ code: 0, stderr: "" })
  await laptop.succeed("sync now")
  expect(await names(laptop)).toEqual(["alpha", "beta", "gamma"])
})

it("one that never met the log is asked, in words that count right", async () => {
  const stranger = signing("mal", { CONTEXT_KEY: "off" })
  await stranger.succeed("server add solo --ip 10.0.0.9")
  const asked = await stranger.run(`sync connect ${sqld.url}`, token(sqld))
  expect(asked.code).toBe(1)
  expect(asked.stderr).toContain("put 1 event of this machine after the")
})

it("sync status says why it ends with 1, also where the machine works alone", async () => {
  await server.succeed("server add delta --ip 10.0.0.4", { env: { CONTEXT_SYNC: "off" } })
  await laptop.succeed("server add delta --ip 10.0.0.5 --wait-sync")
  expect((await server.run("sync now")).code).toBe(1)
  await server.succeed("sync disconnect")
  const status = await server.run("sync status")
  expect(status.code).toBe(1)
  expect(status.stdout).toContain("this machine works alone")
  expect(status.stdout).toContain("1 command: context infra sync rejected")
  await server.succeed(`sync connect ${sqld.url}`, token(sqld))
})

it("the doctor of a job without a file says how its key stands in the shared log", async () => {
  const remote = { CONTEXT_SYNC: "remote", TURSO_URL: sqld.url, TURSO_AUTH_TOKEN: token(sqld).input }
  const { key, machine } = await laptop.json("machine add ci")
  await laptop.succeed("sync now")
  const job = signing("ci", { ...remote, CONTEXT_KEY: key })
  await job.succeed("server add epsilon --ip 10.0.0.6")
  expect(await found(job, "key")).toMatchObject([
    { level: "ok", found: expect.stringContaining("enrolled in this log as member, by the name ci") },
  ])
  await laptop.succeed("machine revoke ci --yes")
  expect(await found(job, "key")).toMatchObject([{ level: "trouble", found: expect.stringContaining("was revoked") }])
  expect((await job.json("doctor")).ok).toBe(false)
  expect((await job.run("doctor")).code).toBe(1)
  const newcomer = signing("new", remote)
  await newcomer.run("server add zeta --ip 10.0.0.7")
  expect(await found(newcomer, "key")).toMatchObject([
    { level: "trouble", found: expect.stringMatching(/waits to be enrolled|is not enrolled/) },
  ])
  expect(machine.name).toBe("ci")
})

it("an admin that revokes itself is revoked for everybody; the last one cannot be", async () => {
  const print = (await itself(laptop)).fingerprint
  const last = await laptop.run(`machine revoke ${print} --yes`)
  expect(last).toMatchObject({ code: 1, stderr: expect.stringContaining("the last admin machine") })
  const desk = signing("joe")
  await invited(desk, laptop, sqld)
  await laptop.succeed("sync now")
  // A code is for who is not enrolled yet.
  const { code } = await laptop.json("sync invite --admin")
  const connected = await desk.succeed(`sync connect ${sqld.url} --invite ${code}`, token(sqld))
  expect(connected).toContain("! this machine is enrolled already, as member: the code was not used")
  expect(connected).toMatch(/on an admin machine: context infra machine\s+approve \S+ --admin/)
  expect((await laptop.json("machine list")).invites).toMatchObject([{ left: 1 }])
  // The way out that the refusal names.
  expect(last.stderr).toContain("machine approve <name> --admin")
  const { fingerprint, name } = await itself(desk)
  const unchanged = await laptop.run(`machine approve ${name} --yes`)
  expect(unchanged).toMatchObject({ code: 1, stderr: expect.stringContaining("enrolled already, as member") })
  expect(unchanged.stderr).toContain("--admin")
  expect((await laptop.run(`machine approve ${name} --admin`)).stderr).toContain(
    `make ${name} (${fingerprint}) an admin`,
  )
  expect(await laptop.json(`machine approve ${name} --admin --yes`)).toMatchObject({
    role: "admin",
    status: "enrolled",
  })
  const twice = await laptop.run(`machine approve ${name} --admin --yes`)
  expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining("enrolled already, as admin") })
  // The way back that the refusal names; the last admin stays one.
  expect(twice.stderr).toContain("add --member")
  expect((await laptop.run(`machine approve ${name} --member`)).stderr).toContain("decides no more who writes")
  expect(await laptop.json(`machine approve ${name} --member --yes`)).toMatchObject({ role: "member" })
  expect((await laptop.run(`machine approve ${print} --member --yes`)).stderr).toContain("the last admin machine")
  expect((await laptop.run(`machine approve ${name} --member --admin`)).code).toBe(2)
  await laptop.succeed(`machine approve ${name} --admin --yes`)
  expect((await laptop.run(`machine revoke ${print}`)).stderr).toContain("the machine that you are on")
  expect(await laptop.run(`machine revoke ${print} --yes`)).toMatchObject({ code: 0, stderr: "" })
  expect(await laptop.json("sync status")).toMatchObject({ enrolment: "revoked", pending: 0 })
  await desk.succeed("sync now")
  expect((await desk.json("machine list")).machines).toContainEqual(
    expect.objectContaining({ fingerprint: print, status: "revoked" }),
  )
  expect((await desk.run("audit verify")).code).toBe(0)
})
