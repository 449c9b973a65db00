/** A restore on its way, looked at from beside it, and on a file system that has no hard links. */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { bundleWorker } from "./durability/processes.js"
import { noTracing } from "./durability/strace.js"
import { released } from "./durability/verify.js"
import { damaged } from "./support/audited.js"
import { freshPath } from "./support/files.js"
import { addServers, inLog, serverNames, verify } from "./support/live.js"

vi.setConfig({ testTimeout: 120_000 })

const missing = noTracing()
if (missing !== undefined) console.log(`not run: a restore on its way, because ${missing}`)

let bundle = ""
beforeAll(async () => {
  bundle = await bundleWorker("copyWorker.ts")
})
afterAll(() => rmSync(bundle, { force: true }))

const traced = (inject: string, backup: string, path: string): ReadonlyArray<string> => {
  const [call] = inject.split(":")
  const expressions = ["-e", `trace=${call}`, "-e", `inject=${inject}`]
  return ["-f", "-qq", "-o", "/dev/null", ...expressions, process.execPath, bundle, "restore", path, backup]
}

const made = async (...names: ReadonlyArray<string>) => {
  const [path, backup] = [freshPath(), freshPath()]
  const copy = Effect.flatMap(Maintenance, (care) => care.backup(backup))
  await inLog(path, Effect.zipRight(addServers(...names), copy))
  await released(path)
  return { backup, path }
}

const asideOf = (path: string): string => {
  const names = readdirSync(dirname(path)).filter((name) => /\.before-[\dTZ-]+$/.test(name))
  expect(names).toHaveLength(1)
  return join(dirname(path), basename(names[0] as string))
}

describe.skipIf(missing !== undefined)("a restore on its way", () => {
  it("holds the place where nothing is: who begins a log there meanwhile is refused, or finds the restored one", async () => {
    const { backup } = await made("new")
    const path = freshPath()
    const restoring = spawn("strace", [...traced("rename:delay_enter=2000000", backup, path)], { stdio: "ignore" })
    const ended = once(restoring, "close")
    await vi.waitFor(() => expect(existsSync(path)).toBe(true), { timeout: 60_000, interval: 10 })
    const written = await inLog(path, Effect.either(addServers("meanwhile"))).catch(() => undefined)
    // Who was faster than the lock is not overwritten.
    const [code] = await ended
    const mine = written?._tag === "Right" ? ["meanwhile"] : []
    expect(await inLog(path, serverNames)).toEqual(code === 0 ? [...mine, "new"] : mine)
    expect(code === 0 || mine.length > 0).toBe(true)
  })
})

describe.skipIf(missing !== undefined)("a restore that was cut short", () => {
  it.each([
    ["killed", "rename:signal=SIGKILL:when=1"],
    ["failed", "rename:error=EIO:when=1"],
  ])("leaves no second name of the log that could be worked under: %s", async (how, inject) => {
    const [{ path }, { backup }] = [await made("old"), await made("new")]
    spawnSync("strace", traced(inject, backup, path), { encoding: "utf8" })
    const names = readdirSync(dirname(path)).filter((name) => /\.before-[\dTZ-]+$/.test(name))
    expect(names).toHaveLength(how === "killed" ? 1 : 0)
    for (const name of names) {
      const second = join(dirname(path), name)
      await expect(inLog(second, serverNames)).rejects.toThrow(/is another name of .*infra.db.*name that/)
    }
    expect(await inLog(path, serverNames)).toEqual(["old"])
    await released(path)
    spawnSync("strace", traced("rename:delay_enter=1", backup, path), { encoding: "utf8" })
    expect(await inLog(path, serverNames)).toEqual(["new"])
    expect(await inLog(asideOf(path), serverNames)).toEqual(["old"])
  })
})

describe.skipIf(missing !== undefined)("where there are no hard links", () => {
  const without = (backup: string, path: string) =>
    spawnSync("strace", traced("link,linkat:error=EPERM", backup, path), { encoding: "utf8" })

  it("the old log is kept as a copy, and is its owner's alone", async () => {
    const [{ path }, { backup }] = [await made("old"), await made("new")]
    expect(without(backup, path)).toMatchObject({ status: 0, stderr: "" })
    expect(await inLog(path, serverNames)).toEqual(["new"])
    expect(statSync(asideOf(path)).mode & 0o777).toBe(0o600)
    expect(await inLog(asideOf(path), serverNames)).toEqual(["old"])
    expect(await inLog(asideOf(path), verify)).toMatchObject({ ok: true })
  })

  it("one that is damaged is replaced as well, and kept as it was, wherever the damage is", async () => {
    const { backup, path: whole } = await made("old")
    const pages = statSync(whole).size / 4096
    for (let page = 1; page < pages; page += 5) {
      const path = freshPath()
      cpSync(whole, path)
      const descriptor = openSync(path, "r+")
      writeSync(descriptor, Buffer.alloc(600, 0xff), 0, 600, page * 4096)
      closeSync(descriptor)
      damaged(path)
      const [before, done] = [readFileSync(path), without(backup, path)]
      expect(done, `page ${page}`).toMatchObject({ status: 0, stderr: "" })
      expect(await inLog(path, serverNames)).toEqual(["old"])
      // The header tells of the mode and of changes.
      expect(readFileSync(asideOf(path)).subarray(100).equals(before.subarray(100)), `page ${page}`).toBe(true)
    }
  })
})
