import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { seedOf } from "../support/random.js"
import { fillDisk, killOnFullDisk, mountSmallDisk, unmount } from "./full.js"
import { inSetting } from "./setting.js"

const megabytes = 4
const mounts = mkdtempSync(join(tmpdir(), "context-full-"))
const refused = mountSmallDisk(join(mounts, "probe"), 1)
unmount(join(mounts, "probe"))

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
