import { expect, it } from "vitest"
import { inSetting } from "../durability/setting.js"
import { seedOf } from "../support/random.js"
import { killSyncers } from "./killing.js"

it("loses nothing that was acknowledged while machines and the server are killed", { timeout: 240_000 }, () =>
  inSetting(async (setting) => {
    const killed = await killSyncers({ ...setting, seed: seedOf("syncing"), kills: 100 })
    const { acknowledged, clients, events, problems, servers } = killed
    console.log(`${clients} machines and ${servers} servers killed; ${acknowledged} acknowledged of ${events} events`)
    expect(problems).toEqual([])
    expect(acknowledged).toBeGreaterThan(100)
  }),
)
