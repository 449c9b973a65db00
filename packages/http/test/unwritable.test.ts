/** Whoever watches the server is told when nothing can be written to its log: at /healthz and in the alerts. */
import { mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { mountSmallDisk, unmount } from "../../store/test/durability/full.js"
import { auditAll } from "../../store/test/support/audited.js"
import { testServer } from "./support.js"

const disk = mkdtempSync(join(tmpdir(), "context-http-full-"))
const why = mountSmallDisk(disk, 3)
const skipped = why !== undefined && process.env.CI !== "true"

const filler = join(disk, "filler")
const freeOf = () => {
  const { bavail, bsize } = statfsSync(disk)
  return bavail * bsize
}

describe.skipIf(skipped)(`a full disk${skipped ? ` (skipped: no small disk can be mounted here: ${why})` : ""}`, () => {
  const db = join(disk, "infra.db")
  afterAll(() => auditAll(disk).finally(() => unmount(disk)))
  const { call, raw } = testServer({ db })

  it("is a 503 to whoever asks without a token, and a critical alert, until there is room again", async () => {
    expect(await call("POST /v1/servers", { name: "alpha" })).toMatchObject({ status: 201 })
    expect(await raw("/healthz")).toMatchObject({ status: 200 })
    const free = freeOf()
    writeFileSync(filler, Buffer.alloc(free - 100_000))
    expect(await call("POST /v1/services/api/deploy", {})).toMatchObject({ status: 404 })
    const unwell = await raw("/healthz")
    expect(unwell).toMatchObject({ status: 503, body: { _tag: "StorageError", reason: "full" } })
    expect(unwell.body.message).toContain("the disk of the log is full")
    expect(unwell.body.message).not.toContain(disk)
    expect(await call("GET /v1/alerts")).toMatchObject({
      status: 200,
      body: [
        {
          kind: "log",
          severity: "critical",
          message: `no command can write to the log: ${db}: the disk is full`,
          next: "make room on its disk",
        },
      ],
    })
    rmSync(filler)
    expect(await raw("/healthz")).toMatchObject({ status: 200, body: { status: "ok" } })
    expect(await call("GET /v1/alerts")).toMatchObject({ status: 200, body: [] })
  })

  it("is looked for without leaving anything, however often", async () => {
    const free = freeOf()
    for (let asked = 0; asked < 50; asked += 1) expect((await raw("/healthz")).status).toBe(200)
    expect(readdirSync(disk).filter((name) => name.includes("room"))).toEqual([])
    expect(freeOf()).toBe(free)
  })
})
