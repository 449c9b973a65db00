/** A machine is asked about by whatever a screen calls it: also one that only waits, under a name that no event gave it. */
import { Alerts } from "@context-engine/core/services/Alerts"
import { History } from "@context-engine/core/services/History"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { fleet } from "../support/fleet.js"
import { add, attempt, machine, machines, rejected, signerOf, sync } from "../support/machines.js"

it("its life is found by its name on the list, and by its fingerprint or the beginning of that", async () => {
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
    for (const text of [name, fingerprint, fingerprint.slice(0, 4), machineId]) {
      const events = await life(text)
      expect(events.length, text).toBeGreaterThan(0)
      const about = JSON.stringify(events.map(({ data }) => data))
      expect(about, text).toContain(machineId)
    }
  }
  await expect(life(rows[0]?.fingerprint.slice(0, 3) ?? "")).rejects.toThrow()
  for (const one of [root, first, second]) await one.close()
})

it("what one that only waits has signed is told under its name on the list, and not under a host name that another has", async () => {
  const { root, remote } = await fleet("root", "vm")
  const stranger = machine("vm", remote)
  await attempt(stranger)
  await sync(root)
  const { machines: rows } = await machines(root, (service) => service.list)
  const waiting = rows.find(({ status }) => status === "waiting")
  expect(waiting?.name).toMatch(/^vm-/)
  const history = Effect.flatMap(History, (service) => service.life(waiting?.machineId ?? ""))
  const [asked] = await root.run(Effect.provide(history, History.layer))
  expect(asked).toMatchObject({ type: "EnrolmentRequested", machine: waiting?.name })
  for (const one of [root, stranger]) await one.close()
})

it("whose command was refused is told by the name on the list, in alerts as well", async () => {
  const { a, b } = await fleet("a", "b")
  for (const one of [a, b]) await add(one, "alpha")
  for (const one of [a, b, a]) await sync(one)
  await machines(a, (service) => service.rename(signerOf(b).id, "laptop"))
  expect(await rejected(a)).toMatchObject([{ actor: "b", machine: "laptop" }])
  const alerts = Effect.provide(
    Effect.flatMap(Alerts, (service) => service.list),
    Alerts.layer,
  )
  expect(await a.run(alerts)).toMatchObject([{ kind: "rejected", subject: "b@laptop" }])
  for (const one of [a, b]) await one.close()
})
