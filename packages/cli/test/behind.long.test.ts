/** Whatever a command wrote is brought to the other machines behind it: also what settles refused commands, and what was left half-way. */
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { isHeld } from "@context-engine/store/sync/lock"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { invited, type Signing, signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld?.close())

const off = { env: { CONTEXT_SYNC: "off" } }

/** Until nothing waits: nobody says `sync now` there. */
const shared = (machine: Signing) =>
  expect.poll(async () => (await machine.json("sync status")).pending, { timeout: 30_000 }).toBe(0)

describe("what a command wrote", () => {
  const [ada, sam] = [signing("ada"), signing("sam")]
  beforeAll(async () => {
    await ada.succeed(`sync connect ${sqld.url}`, token(sqld))
    await ada.succeed("server add alpha --ip 10.0.0.1 --wait-sync")
    await invited(sam, ada, sqld)
  })

  /** Commands of sam's that ada was faster with, as the first synchronisation finds them. */
  const refused = async (...names: ReadonlyArray<string>) => {
    // What an earlier command left behind it would tell sam of it first.
    await expect.poll(() => Effect.runPromise(isHeld(sam.db, "watch")), { timeout: 30_000 }).toBe(false)
    for (const name of names) await ada.succeed(`server add ${name} --ip 10.0.1.2 --wait-sync`)
    for (const name of names) await sam.succeed(`server add ${name} --ip 10.0.1.1`, off)
    expect((await sam.run("sync now")).code).toBe(1)
    await ada.run("sync now")
    return ((await sam.json("sync rejected")) as ReadonlyArray<{ readonly id: string; readonly status: string }>)
      .filter(({ status }) => status === "open")
      .map(({ id }) => id)
  }

  it("is shared where a refused command was let go, or given again", async () => {
    const [one] = await refused("beta")
    await sam.succeed(`sync rejected drop ${one}`)
    await shared(sam)
    await ada.succeed("sync now")
    expect((await ada.run("alert")).code).toBe(0)
    const [other] = await refused("gamma")
    await ada.succeed("server remove gamma --yes --wait-sync")
    await sam.run("sync now")
    await sam.succeed(`sync rejected retry ${other}`)
    await shared(sam)
    await ada.succeed("sync now")
    expect(await ada.json("server show gamma")).toMatchObject({ ipAddresses: ["10.0.1.1"] })
  })

  it("is shared where that was said of all at once, which says how many stand", async () => {
    await refused("delta", "epsilon")
    await ada.succeed("server remove delta --yes --wait-sync")
    await sam.run("sync now")
    const again = await sam.run("sync rejected retry --all --yes")
    expect(again).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("2 refused commands: 1 given again, and stands now; 1 still refused"),
    })
    await shared(sam)
    expect(await sam.succeed("sync rejected drop --all --yes")).toContain("✓ 1 refused command: 1 let go")
    await shared(sam)
    expect(await sam.succeed("sync rejected drop --all --yes")).toContain("no refused command of this machine is open")
    await ada.succeed("sync now")
    expect((await ada.run("sync rejected")).code).toBe(0)
    expect(await ada.json("server show delta")).toMatchObject({ ipAddresses: ["10.0.1.1"] })
  })

  it("is waited for where that is asked for", async () => {
    const [one] = await refused("zeta")
    await sam.succeed(`sync rejected drop ${one} --wait-sync`)
    expect(await sam.json("sync status")).toMatchObject({ pending: 0 })
  })

  it("is shared where the command was left before it ended", async () => {
    const running = join(sam.directory, "running")
    await sam.succeed("server add here --local --wait-sync")
    const command = `touch ${running}; echo going; while [ -e ${running} ]; do sleep 0.1; done`
    await sam.succeed(`service add slow --server here --deploy '${command}' --wait-sync`)
    let left = false
    const watched = await sam.run("deploy slow", {
      watch: (soFar, signal) => {
        if (left || !/going/.test(soFar) || !existsSync(running)) return
        left = true
        signal("SIGINT")
      },
    })
    expect(watched, watched.stderr).toMatchObject({ code: 130 })
    await shared(sam)
    await ada.succeed("sync now")
    expect(await ada.json("history slow")).toMatchObject([{ status: "in_progress" }])
    rmSync(running)
    await sam.run("deploy attach slow --wait-sync")
    await ada.succeed("sync now")
    expect(await ada.json("history slow")).toMatchObject([{ status: "success" }])
  })
})
