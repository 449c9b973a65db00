import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Commands } from "@context-engine/core/Commands"
import { DeploymentStarted, DeploymentSucceeded, entity } from "@context-engine/core/domain/Service"
import { EventLog } from "@context-engine/core/EventLog"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"
import { storageError } from "../../src/connection.js"
import { writable } from "../../src/doctor/writable.js"
import { audited } from "../support/audited.js"
import { addServers, inLog } from "../support/live.js"
import { seedOf } from "../support/random.js"
import { fillDisk, killOnFullDisk, mountSmallDisk, unmount } from "./full.js"
import { inSetting } from "./setting.js"

const megabytes = 4
const mounts = mkdtempSync(join(tmpdir(), "context-full-"))
const refused = mountSmallDisk(join(mounts, "probe"), 1)
unmount(join(mounts, "probe"))

/** Fills a disk but for so many bytes, or not at all. */
const leaveFree = (disk: string, bytes: number | undefined) => {
  const filler = join(disk, "filler")
  rmSync(filler, { force: true })
  if (bytes === undefined) return
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - bytes)))
}

/** Whether a log says that it can be acted, and what comes of noting it then. */
const asked = Effect.gen(function* () {
  const log = yield* EventLog
  const { services } = yield* Registry
  const ready = yield* Effect.match(log.ready, { onFailure: ({ message }) => message, onSuccess: () => "well" })
  if (ready !== "well") return { ready, note: "not asked" }
  const [service] = yield* services.list()
  const about = { service: "api", server: "m", serverId: service?.serverId ?? "", deploymentId: crypto.randomUUID() }
  const at = new Date().toISOString()
  const end = { ...about, version: null, duration: 1, logs: "x".repeat(64 * 1024), at, verified: false }
  const noting = (yield* Commands).record(entity.aggregate, service?.id ?? "", [
    DeploymentStarted({
      ...about,
      version: null,
      previousVersion: null,
      deployedBy: "ada",
      method: "manual",
      notes: null,
      at,
    }),
    DeploymentSucceeded(end),
  ])
  const note = yield* Effect.match(noting, { onFailure: (error) => String(error.message), onSuccess: () => "well" })
  return { ready, note }
})

let disks = 0
const onSmallDisk = async (story: (disk: string) => Promise<void>) => {
  disks += 1
  const disk = join(mounts, String(disks))
  const why = mountSmallDisk(disk, megabytes)
  if (why !== undefined) throw new Error(`no small disk can be mounted here: ${why}`)
  try {
    await story(disk)
  } finally {
    unmount(disk)
  }
}

afterAll(() => rmSync(mounts, { recursive: true, force: true }))

const skipped = refused !== undefined && process.env.CI !== "true"
const suite = `a full disk${skipped ? ` (skipped: no small disk can be mounted here: ${refused})` : ""}`

describe.skipIf(skipped)(suite, () => {
  it.each([1, 16])(
    "is a typed error to %i fibers, and costs nothing that was acknowledged",
    { timeout: 240_000 },
    (fibers) =>
      onSmallDisk((disk) =>
        inSetting(async ({ workers }) => {
          const filled = await fillDisk({ workers, disk, megabytes, fibers, seed: seedOf("full") })
          expect(filled.problems).toEqual([])
          expect(filled.failures.map(({ reason, tag }) => `${tag} ${reason}`)).toEqual(
            Array(fibers).fill("StorageError full"),
          )
          // How many fit depends on the sizes that the seed gives them.
          expect(filled.acknowledged).toBeGreaterThan(20)
          const still = filled.whileFull.filter((one) => one !== "appended" && one.reason !== "full")
          expect(still).toEqual([])
          expect(["full", "appended"]).toContain(filled.freshWhileFull)
          expect(filled.withRoom).toEqual(Array(10).fill("appended"))
          expect(filled.freshWithRoom).toBe("appended")
        }),
      ),
  )

  it("lets nobody act on a host whose act the log has no room for", { timeout: 240_000 }, () =>
    onSmallDisk(async (disk) => {
      const path = audited(join(disk, "infra.db"))
      await inLog(path, addServers("m"))
      await inLog(
        path,
        Effect.flatMap(Registry, ({ services }) => services.add({ name: "api", server: "m" })),
      )
      let refusals = 0
      for (let free = 0; free <= 800; free += 16) {
        leaveFree(disk, free * 1024)
        const ended = await inLog(path, asked).catch((error) => ({ ready: String(error), note: "not asked" }))
        // Whoever was told to go on could note what came of it, the output of a deployment with it.
        if (ended.ready === "well") expect([free, ended.note]).toEqual([free, "well"])
        else {
          expect(ended.ready).toContain("the disk is full")
          // Whoever asks how it stands is told the same; what is open takes some room itself.
          if (free <= 400)
            expect(await Effect.runPromise(writable(path).look)).toMatchObject([{ fix: "make room on its disk" }])
          refusals += 1
        }
      }
      expect(refusals).toBeGreaterThan(10)
      // What is needed beside it only to read it cannot be made either, and the driver says no more of that.
      const failed = Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR_SHMSIZE" })
      leaveFree(disk, 0)
      expect(storageError(path, failed)).toMatchObject({ reason: "full" })
      leaveFree(disk, undefined)
      expect(storageError(path, failed)).toMatchObject({ reason: "unavailable" })
      expect(await inLog(path, asked)).toEqual({ ready: "well", note: "well" })
    }),
  )

  it("leaves a log that opens, when the process on it was killed", { timeout: 240_000 }, () =>
    onSmallDisk((disk) =>
      inSetting(async ({ workers }) => {
        const filling = { workers, disk, megabytes, fibers: 4, seed: seedOf("killed on a full disk") }
        const { problems, whileFull } = await killOnFullDisk(filling)
        expect(["full", undefined]).toContain(whileFull.named)
        expect([...whileFull.problems, ...whileFull.integrity]).toEqual([])
        expect(problems).toEqual([])
      }),
    ),
  )
})
