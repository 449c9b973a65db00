/** What acts on a host is in the log afterwards: a machine that may not write there does nothing, and says so first. */
import { existsSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Redacted from "effect/Redacted"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { invited, itself, type Signing, signing } from "./support/enrolled.js"

/** Everything that acts on a host. Each would leave a file called `ran`, or a lock. */
const acting = [
  "server run m -- touch {ran}",
  "service restart api",
  "service stop api --yes",
  "service start api",
  "deploy api --version 2",
  "rollback api --to 1",
  "deploy lock api --message why",
  "deploy unlock api",
]

/** A signed log with a service of this machine that can be deployed, restarted and stopped. */
const begun = async (machine: Signing): Promise<string> => {
  const ran = join(machine.directory, "ran")
  const touch = `touch ${ran} # {{version}}`
  await machine.succeed("server add m --local")
  await machine.succeed([..."service add api --server m --restart".split(" "), touch, "--deploy", touch])
  return ran
}

/** Tries all of it as somebody who may not write: each is refused with the reason, and nothing has happened. */
const refusesAll = async (machine: Signing, ran: string, why: RegExp, env: Readonly<Record<string, string>>) => {
  for (const line of acting) {
    const ended = await machine.run(line.replace("{ran}", ran), { env })
    expect(ended.code, `${line}: ${ended.stderr}`).not.toBe(0)
    expect(ended.stderr, line).toMatch(why)
    expect(existsSync(ran), line).toBe(false)
  }
}

describe("a machine that may not write into the log", () => {
  let sqld: Sqld
  beforeAll(async () => {
    sqld = await startSqld()
  })
  afterAll(() => sqld.close())

  it("does nothing on hosts without a key in a signed log, and whoever has one finds no lock", async () => {
    const machine = signing("ada")
    const ran = await begun(machine)
    await refusesAll(machine, ran, /signed.*CONTEXT_KEY=off/s, { CONTEXT_KEY: "off" })
    expect(await machine.succeed("deploy api --version 2")).toContain("api")
    expect(existsSync(ran)).toBe(true)
  })

  it("is told that by history where a deployment that was left has ended, and not that its host is away", async () => {
    const machine = signing("ada")
    const [hold, over] = [join(machine.directory, "hold"), join(machine.directory, "over")]
    writeFileSync(hold, "")
    const command = `echo begun; while [ -e ${hold} ]; do sleep 0.05; done; touch ${over}`
    await machine.succeed("server add m --local")
    await machine.succeed(["service", "add", "api", "--server", "m", "--deploy", command])
    let sent = false
    const left = await machine.run("deploy api", {
      watch: (soFar, signal) => {
        if (sent || !soFar.includes("begun")) return
        sent = true
        signal("SIGINT")
      },
    })
    expect(left.code, left.stderr).toBe(130)
    rmSync(hold)
    await expect.poll(() => existsSync(over), { timeout: 20_000 }).toBe(true)
    const shown = await machine.run("history api --json", { env: { CONTEXT_KEY: "off" } })
    expect(shown).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^api: in progress .*signed.*CONTEXT_KEY=off/s),
    })
    expect(JSON.parse(shown.stdout)).toMatchObject([{ status: "in_progress" }])
    expect(await machine.json("history api")).toMatchObject([{ status: "success" }])
  })

  it("does nothing on hosts by a file that shows the past, not even one that shows all there is", async () => {
    const machine = signing("ada")
    const ran = await begun(machine)
    for (const [moment, said] of [
      ["3", "position 3"],
      ["now", "2"],
      [new Date().toISOString(), "2"],
    ] as const) {
      const CONTEXT_DB = join(machine.directory, `${moment}.db`)
      await machine.succeed(`audit replay --to ${moment} --into ${CONTEXT_DB}`)
      await refusesAll(machine, ran, new RegExp(`shows a log as of ${said}`), { CONTEXT_DB })
      const added = await machine.run("server add n", { env: { CONTEXT_DB } })
      expect(added).toMatchObject({ code: 1, stderr: expect.stringContaining("nothing is added to it") })
    }
    expect(await machine.json("audit verify")).toMatchObject({ ok: true, events: 3 })
  })

  it("does nothing on hosts with the key of another log", async () => {
    const [machine, other] = [signing("ada"), signing("eve")]
    const ran = await begun(machine)
    await other.succeed("server add x")
    const CONTEXT_KEY = join(other.directory, "machine.key")
    await refusesAll(machine, ran, /key is not enrolled/, { CONTEXT_KEY })
  })

  it("does nothing on hosts once it was revoked, by a file of its own or from the shared log alone", async () => {
    const [laptop, ci] = [signing("ada"), signing("ci")]
    const ran = await begun(laptop)
    await laptop.succeed(`sync connect ${sqld.url}`, { input: Redacted.value(sqld.token()) })
    const { key } = await laptop.json("machine add ci")
    await laptop.succeed("sync now")
    const job = {
      CONTEXT_KEY: key,
      CONTEXT_SYNC: "remote",
      CONTEXT_DB: "",
      TURSO_URL: sqld.url,
      TURSO_AUTH_TOKEN: Redacted.value(sqld.token()),
    }
    const reader = { ...job, TURSO_AUTH_TOKEN: Redacted.value(sqld.token({ a: "ro" })) }
    await refusesAll(ci, ran, /could not be told in the shared log: .*may only be read with this token/s, reader)
    const stranger = { ...job, CONTEXT_KEY: join(ci.directory, "machine.key") }
    await refusesAll(ci, ran, /could not be told in the shared log: this machine is not enrolled/, stranger)
    const phone = signing("bob")
    await invited(phone, laptop, sqld)
    await laptop.succeed("machine revoke ci --yes")
    await laptop.succeed(`machine revoke ${(await itself(phone)).fingerprint} --yes`)
    await laptop.succeed("sync now")
    await refusesAll(ci, ran, /revoked/, job)
    await phone.run("sync now")
    await refusesAll(phone, ran, /this machine was revoked.*machine approve/s, {})
  })
})
