/** A refused command that makes a server local means the machine that gave it: nobody else can give it again. */
import { cpSync, renameSync } from "node:fs"
import { CommandRejected } from "@context-engine/core/domain/Rejection"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Alerts } from "@context-engine/core/services/Alerts"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { serverAdded, uuid } from "../support/events.js"
import { fleet } from "../support/fleet.js"
import { draft, placed, signed, slipIn } from "../support/forger.js"
import { add, attempt, give, type Machine, machine, rejected, rowsHash, servers, signerOf, sync, verify } from "../support/machines.js" // biome-ignore format: one line

const retry = (of: Machine, id: string) =>
  of
    .run(Effect.flatMap(Sync, (service) => Effect.either(service.retry(id))))
    .then((done) => (done._tag === "Right" ? done.right.status : done.left.message))
const server = (of: Machine, name: string) =>
  of.run(Effect.flatMap(ReadModels, (models) => models.servers.list({ where: { name } }))).then(([row]) => row)
const agree = async (...all: ReadonlyArray<Machine>) => {
  for (const one of [...all, ...all]) await sync(one)
  for (const one of all) {
    expect(await verify(one)).toMatchObject({ ok: true, inert: 0, findings: [] })
    expect(rowsHash(one.path)).toBe(rowsHash(all[0]?.path as string))
  }
}
const close = async (...all: ReadonlyArray<Machine>) => {
  for (const one of all) await one.close()
}

/** Both work without each other from where both have the same, and what bob did comes first. */
const apart = async (
  before: (alice: Machine) => Promise<unknown>,
  work: (machines: { readonly alice: Machine; readonly bob: Machine }) => Promise<unknown>,
) => {
  const found = await fleet("alice", "bob")
  const { alice, bob } = found
  await before(alice)
  await agree(alice, bob)
  await work(found)
  await sync(bob)
  await agree(alice, bob)
  return { alice, bob }
}
const isOpen = ({ status }: { readonly status: string }) => status === "open"
const saysLocal = (of: Machine) => give(of, (r) => r.servers.add({ name: "box", local: true }))

it("is given again on that machine alone, which is said wherever it is told", async () => {
  const { alice, bob } = await apart(
    async () => {},
    async (both) => {
      await saysLocal(both.alice)
      await give(both.alice, (r) => r.services.add({ name: "app", server: "box", deployCommand: "echo $HOME" }))
      await add(both.bob, "box")
    },
  )
  const added = (await rejected(bob)).find(({ what }) => what === '"server box added", local to alice')
  const id = added?.id as string
  await give(bob, (r) => r.servers.remove("box"))
  const said = `"server box added": it makes server box local to alice, and no other machine can say that; on alice: context infra sync rejected retry ${id}; or, where that cannot be done any more, on the machine that is meant: context infra server add box --local, `
  expect(await retry(bob, id)).toContain(said)
  expect(await servers(bob)).toEqual([])
  const alerts = await bob.run(Effect.flatMap(Alerts, ({ list }) => list).pipe(Effect.provide(Alerts.layer)))
  expect(alerts.map(({ next }) => next)).toContain(`on alice: context infra sync rejected retry ${id}, or drop ${id}`)

  await agree(bob, alice)
  expect(await retry(alice, id)).toBe("retried")
  await agree(alice, bob)
  expect(await server(bob, "box")).toMatchObject({ local: true, localKey: signerOf(alice).id, localMachine: "alice" })
  // What says nothing of a machine anybody can give again.
  const [app] = (await rejected(bob)).filter(isOpen)
  expect(await retry(bob, app?.id as string)).toBe("retried")
  await agree(bob, alice)
  await close(alice, bob)
})

it("so it is with a change that says it", async () => {
  const { alice, bob } = await apart(
    async (one) => {
      await add(one, "gate")
      await add(one, "box")
    },
    async (both) => {
      const sshConfig = { user: null, port: 22, keyPath: null, jumpHost: "gate" }
      await give(both.alice, (r) => r.servers.update("box", { local: true, sshConfig }))
      await give(both.bob, (r) => r.servers.remove("gate"))
    },
  )
  const [change] = (await rejected(bob)).filter(isOpen)
  const id = change?.id as string
  expect(change?.what).toMatch(/box changed: .*local to alice$/)
  await add(bob, "gate")
  expect(await retry(bob, id)).toContain(`on alice: context infra sync rejected retry ${id}`)
  await agree(bob, alice)
  expect(await retry(alice, id)).toBe("retried")
  await agree(alice, bob)
  expect(await server(bob, "box")).toMatchObject({ local: true, localKey: signerOf(alice).id })
  await close(alice, bob)
})

it("another key in the same file does not make it local to itself, nor keeps that the rest from being given again", async () => {
  const { bob: job, alice: root, remote } = await fleet("alice", "bob")
  const newcomer = machine("newcomer", remote)
  await attempt(newcomer)
  await saysLocal(newcomer)
  await add(newcomer, "mine")
  await newcomer.close()
  const own = `${newcomer.path}.key`
  renameSync(own, `${own}.own`)
  cpSync(`${job.path}.key`, own)
  const file = machine("bob", remote, { path: newcomer.path })
  await attempt(file)
  const rows = await file.run(Effect.flatMap(Sync, ({ rejectedHere }) => rejectedHere))
  const answers = []
  for (const { id } of rows) answers.push(await retry(file, id))
  expect(answers).toEqual([
    expect.stringMatching(
      /^"server box added": it makes server box local to newcomer, .* on the machine that is meant: context infra server add box --local, and let this go with context infra sync rejected drop/,
    ),
    "retried",
  ])
  await agree(root, job, file)
  expect(await servers(root)).toEqual(["mine"])
  await close(root, job, file)
})

it("what another says that this machine gave makes nothing local to it", async () => {
  const { alice, bob, rootId, there } = await fleet("alice", "bob")
  const [id, stream] = [uuid(), `server-${uuid()}`]
  const meta = { actor: "alice", via: "cli", machine: "alice", commandId: "c", key: signerOf(alice).id }
  const data = { ...(serverAdded("box").data as object), local: true }
  const event = { id, stream, type: "ServerAdded", schema: 1, data, meta, occurredAt: new Date().toISOString() }
  const body = { commandId: "c", outcome: "refused", reason: "x", actor: "alice", machine: "alice", events: [event], signature: null } // biome-ignore format: one line
  const forged = draft({ type: CommandRejected.type, stream: `rejection-${id}`, body })
  slipIn(there(), placed(there(), signed([forged], signerOf(bob), rootId)))
  await agree(alice, bob)
  expect(await retry(alice, id)).toMatch(
    /^"server box added": it makes server box local to .*alice.*server add box --local/,
  )
  expect(await servers(alice)).toEqual([])
  await close(alice, bob)
})
