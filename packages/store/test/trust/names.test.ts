/** What machines are called where a new root knows nobody: as the log called them last, on every screen, and not as their hosts do. */
import { expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import { withNoise } from "../support/audited.js"
import { add, approve, attempt, beginLog, type Machine, machine, machines, signerOf, status, sync, trust, verify } from "../support/machines.js" // biome-ignore format: one line
import { makeSequencer } from "../support/sequencer.js"

const list = (of: Machine) => machines(of, (service) => service.list)
const rename = (by: Machine, name: string, to: string) => machines(by, (service) => service.rename(name, to))

/** The admin gave names since; then the laptop is stolen, and the phone begins a root that enrols nobody else. */
const begun = async () => {
  const remote = make("memory", makeSequencer().batch)
  const [laptop, phone, server] = ["vm", "vm-2", "vm-3"].map((name) => machine(name, remote)) as [
    Machine,
    Machine,
    Machine,
  ]
  await beginLog(laptop, phone, server)
  for (const [name, to] of [
    ["vm", "laptop"],
    ["vm-2", "phone"],
    ["vm-3", "server"],
  ] as const)
    await rename(laptop, name, to)
  await add(laptop, "alpha")
  for (const one of [laptop, phone, server]) await sync(one)
  for (const one of [laptop, phone, server]) withNoise(one.path)
  await machines(phone, (service) => service.beginRoot(false))
  await sync(phone)
  return { laptop, phone, server, remote }
}

it("a machine that has to ask again does so under the name that it had in the log", async () => {
  const { laptop, phone, server } = await begun()
  await sync(server)
  await trust(server, phone)
  await attempt(server)
  await sync(phone)
  const asking = (await list(phone)).machines.filter(({ machineId }) => machineId === signerOf(server).id)
  expect(asking).toMatchObject([{ name: "server", status: "waiting" }])
  for (const one of [laptop, phone, server]) await one.close()
})

it("a root that does not count is called what its machine is called elsewhere", async () => {
  const { laptop, phone, server } = await begun()
  await sync(server)
  // Renamed since, under the root that counts here: that is its last name in this log.
  await rename(laptop, "phone", "pocket")
  await sync(laptop)
  await sync(server)
  expect((await status(server)).roots).toMatchObject([{ name: "pocket" }])
  expect((await list(server)).pendingRoots).toMatchObject([{ name: "pocket" }])
  expect(await trust(server, phone)).toMatchObject({ name: "pocket" })
  await sync(phone)
  for (const one of [server, phone])
    expect((await list(one)).otherRoots).toMatchObject([{ name: "laptop", position: 1 }])
  for (const one of [laptop, phone, server]) await one.close()
})

it("who begins another root after that keeps its name, though the root before knew nothing of it", async () => {
  const { laptop, phone, server } = await begun()
  await sync(server)
  await trust(server, phone)
  // The phone is gone, too, and nobody has let the server in.
  const row = await machines(server, (service) => service.beginRoot(false))
  expect(row).toMatchObject({ name: "server", root: true })
  await sync(server)
  await sync(phone)
  expect((await status(phone)).roots).toMatchObject([{ name: "server" }])
  for (const one of [laptop, phone, server]) await one.close()
})

it("all of it holds, for whoever verifies it", async () => {
  const { laptop, phone, server } = await begun()
  await sync(server)
  await trust(server, phone)
  await attempt(server)
  await sync(phone)
  await approve(phone)
  for (const one of [phone, server, phone]) await sync(one)
  expect((await list(phone)).machines.find(({ name }) => name === "server")).toMatchObject({ status: "enrolled" })
  for (const one of [phone, server]) expect((await verify(one)).findings).toEqual([])
  for (const one of [laptop, phone, server]) await one.close()
})
