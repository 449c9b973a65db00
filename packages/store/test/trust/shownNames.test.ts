/** A machine is asked about by whatever a screen calls it: also one that only waits, under a name that no event gave it. */
import { History } from "@context-engine/core/services/History"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { fleet } from "../support/fleet.js"
import { attempt, machine, machines, sync } from "../support/machines.js"

it("its life is found by its name on the list, and by its fingerprint", async () => {
  const { root, remote } = await fleet("root", "other")
  const [first, second] = [machine("first", remote), machine("second", remote)]
  for (const one of [first, second]) await attempt(one)
  await sync(root)
  const life = (name: string) =>
    root.run(
      Effect.provide(
        Effect.flatMap(History, (history) => history.life(name)),
        History.layer,
      ),
    )
  const { machines: rows } = await machines(root, (service) => service.list)
  expect(rows.filter(({ status }) => status === "waiting").length).toBe(2)
  for (const { fingerprint, machineId, name } of rows) {
    for (const text of [name, fingerprint, machineId]) {
      const events = await life(text)
      expect(events.length, text).toBeGreaterThan(0)
      const about = JSON.stringify(events.map(({ data }) => data))
      expect(about, text).toContain(machineId)
    }
  }
  for (const one of [root, first, second]) await one.close()
})
