/** A machine loses its file and goes on with the shared log. What was lost with it is told until a person gives it up, and only that. */
import { mkdtempSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { Audit } from "@context-engine/core/services/Audit"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import { damaged } from "../support/audited.js"
import { freshPath } from "../support/files.js"
import {
  add,
  beginLog,
  heal,
  type Machine,
  machine,
  machines,
  servers,
  status,
  sync,
  trust,
  verify,
} from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"

/** b remembers its log outside its file, and loses that; a and c go on. */
const world = async () => {
  let sequencer = makeSequencer()
  const remote = make("memory", (statements, mode) => sequencer.batch(statements, mode))
  const path = freshPath()
  const directory = mkdtempSync(join(dirname(path), "logs-"))
  const open = () => machine("b", remote, { path, memory: { directory } })
  const [a, b, c] = [machine("a", remote), open(), machine("c", remote)]
  await beginLog(a, b, c)
  await add(a, "alpha")
  for (const one of [a, b, c]) await sync(one)
  const lose = async (of: Machine) => {
    await of.close()
    for (const end of ["", "-wal", "-shm"]) rmSync(of.path + end, { force: true })
    damaged(of.path)
    return open()
  }
  const save = () => {
    const copy = freshPath()
    sequencer.connection.exec(`VACUUM INTO '${copy}'`)
    return () => {
      sequencer = makeSequencer(copy)
    }
  }
  return { a, b, c, lose, save }
}

const joined = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => service.join()))
const accept = (of: Machine) => of.run(Effect.flatMap(Audit, (audit) => audit.accept))
const lossOf = async (of: Machine) => (await status(of)).loss

describe("a machine whose file is gone", () => {
  it.each([
    ["pulled again", async (of: Machine) => void (await sync(of))],
    [
      "written to, and joined with the log that is there",
      async (of: Machine) => {
        await add(of, "new")
        await joined(of)
      },
    ],
  ])("is told of the work that it had not shared: %s", async (_, goOn) => {
    const { a, b, c, lose } = await world()
    for (const name of ["one", "two"]) await add(b, name)
    const again = await lose(b)
    await goOn(again)
    for (let once = 0; once < 2; once++) {
      const loss = await lossOf(again)
      expect(loss?.message).toContain(
        "of the last 2 events of this machine, which it had not shared, one or more are not in it",
      )
      expect(loss?.next).not.toContain("sync")
      expect((await verify(again)).ok).toBe(false)
      await sync(again)
    }
    await accept(again)
    expect(await verify(again)).toMatchObject({ ok: true, findings: [] })
    for (const one of [a, c, again]) await one.close()
  })

  it("is told that the server is an older one, also where it joins that with work of its own", async () => {
    const { a, b, c, lose, save } = await world()
    const putBack = save()
    await add(a, "beta")
    await machines(c, (service) => service.beginRoot(true))
    for (const one of [a, c, b]) await sync(one).catch(() => {})
    await trust(b, c)
    await sync(b)
    putBack()
    const again = await lose(b)
    await add(again, "own")
    await joined(again)
    expect(await lossOf(again)).not.toBeNull()
    expect((await verify(again)).ok).toBe(false)
    for (const one of [a, c]) damaged(one.path)
    for (const one of [a, c, again]) await one.close()
  })

  it("is told of nothing where all of it is there, in another place", async () => {
    const { a, b, c, lose, save } = await world()
    const putBack = save()
    for (const name of ["x", "y"]) await add(b, name)
    for (const one of [b, c]) await sync(one)
    putBack()
    await add(a, "between")
    await sync(a)
    await heal(c)
    const again = await lose(b)
    await sync(again)
    expect(await servers(again)).toEqual(["alpha", "between", "x", "y"])
    expect(await lossOf(again)).toBeNull()
    expect(await verify(again)).toMatchObject({ ok: true, findings: [] })
    for (const one of [a, c, again]) await one.close()
  })
})
