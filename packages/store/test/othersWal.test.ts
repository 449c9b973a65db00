/** A backup that somebody copied to where a log is worked on: what lies beside it is of the log that was there. */
import { copyFileSync, existsSync, renameSync, statSync } from "node:fs"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { database } from "../src/doctor/database.js"
import { restore } from "../src/restore.js"
import { audited } from "./support/audited.js"
import { freshPath } from "./support/files.js"
import { addServers, inLog, serverNames } from "./support/live.js"

const said = /was put in the place of another file, whose last writes lie beside it still .*nothing was read or written/

/** A log that is worked on, and is moved away meanwhile, with the copy of its backup in its place. */
const replaced = async (then: (at: { path: string; backup: string; old: string }) => Promise<void>) => {
  const [path, backup] = [freshPath(), freshPath()]
  const old = audited(`${path}.old`)
  await inLog(path, addServers("alpha"))
  const work = Effect.gen(function* () {
    yield* (yield* Maintenance).backup(backup)
    yield* addServers("beta")
    renameSync(path, old)
    copyFileSync(backup, path)
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0)
    yield* Effect.promise(() => then({ path, backup, old }))
  })
  await inLog(path, work)
}

it("is told as that, and restore puts it there and keeps what lay beside it", () =>
  replaced(async ({ backup, old, path }) => {
    for (const story of [serverNames, addServers("gamma")])
      await expect(inLog(path, story as typeof serverNames)).rejects.toThrow(said)
    expect(await Effect.runPromise(database(path).look)).toContainEqual(
      expect.objectContaining({ level: "trouble", found: expect.stringMatching(said), fix: "context infra restore <backup>" }), // biome-ignore format: one line
    )
    const aside = (await Effect.runPromise(restore(backup, path))) as string
    expect(await inLog(path, serverNames)).toEqual(["alpha"])
    expect(existsSync(`${aside}-wal`)).toBe(true)
    // Beside the file that it was written to it is what it was.
    renameSync(`${aside}-wal`, `${old}-wal`)
    expect(await inLog(old, serverNames)).toEqual(["alpha", "beta"])
    expect(await inLog(aside, serverNames)).toEqual(["alpha"])
  }))
