/** A restore that is refused, or fails on its way, is as if nobody had begun it. */
import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { DeployLogs } from "@context-engine/core/DeployLogs"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { restore } from "../src/restore.js"
import { unmount } from "./durability/full.js"
import { released } from "./durability/verify.js"
import { freshPath } from "./support/files.js"
import { addServers, inLog, serverNames } from "./support/live.js"

const root = (program: string, ...args: ReadonlyArray<string>) => execFileSync(program, args, { stdio: "pipe" })

/** What keeps even root from changing what is there, and takes that away again. */
const obstacles = {
  "a flag on the file": (path: string) => flag(path),
  "a flag on its directory": (path: string) => flag(dirname(path)),
  "a flag on what deployments printed": (path: string) => flag(`${path}-logs`),
  "a disk that is mounted to be read only": (path: string) => {
    root("mount", "--bind", dirname(path), dirname(path))
    root("mount", "-o", "remount,ro,bind", dirname(path))
    return () => unmount(dirname(path))
  },
  "a mount of its own": (path: string) => {
    root("mount", "--bind", path, path)
    return () => unmount(path)
  },
}

const flag = (path: string) => {
  root("chattr", "+i", path)
  return () => root("chattr", "-i", path)
}

const words: Record<keyof typeof obstacles, RegExp> = {
  "a flag on the file": /infra\.db has a flag that keeps everybody from writing it; nothing was done.*chattr -i/,
  "a flag on its directory": /has a flag that keeps everybody from writing it; nothing was done.*chattr -i/,
  "a flag on what deployments printed": /infra\.db-logs has a flag .*; nothing was done.*chattr -i/,
  "a disk that is mounted to be read only": /is on a disk that is mounted to be read only; nothing was done.*findmnt/,
  "a mount of its own": /is a mount of its own.*nothing was done. Have its directory mounted instead/,
}

const can = (() => {
  const path = freshPath()
  mkdirSync(`${path}-logs`)
  writeFileSync(path, "")
  try {
    for (const put of Object.values(obstacles)) put(path)()
    return true
  } catch {
    return false
  }
})()

const print = (id: string, text: string) =>
  Effect.scoped(Effect.flatMap(DeployLogs, ({ write }) => Effect.flatMap(write(id), (say) => say(text))))

const printed = Effect.flatMap(DeployLogs, ({ read }) => Effect.all([read("one"), read("two"), read("late")]))

/** A log and a backup of it: of what the backup has, one text is gone since and one was overwritten, and one came later. */
const setting = async () => {
  const [path, backup] = [freshPath(), freshPath()]
  const copy = Effect.flatMap(Maintenance, (care) => care.backup(backup))
  await inLog(path, Effect.all([addServers("old"), print("one", "one ran"), print("two", "two ran"), copy]))
  await inLog(path, Effect.all([addServers("later"), print("late", "late ran")]))
  await released(path)
  execFileSync("rm", [`${path}-logs/one.gz`])
  await inLog(path, print("two", "two was never so long"))
  await released(path)
  return { path, backup }
}

/** All names, with what is under them. */
const all = (path: string) =>
  readdirSync(dirname(path), { recursive: true, encoding: "utf8" })
    .filter((name) => !/-shm$/.test(name))
    .map((name) => {
      const at = join(dirname(path), name)
      return `${name} ${statSync(at).isFile() ? readFileSync(at, "base64").length : "directory"}`
    })
    .filter((line) => !/-wal 0$/.test(line))
    .sort()

const restoring = (backup: string, path: string) => Effect.runPromise(restore(backup, path))

it.skipIf(!can && process.env.CI !== "true").each(Object.keys(obstacles) as ReadonlyArray<keyof typeof obstacles>)(
  "changes nothing where what stands in its way is %s, says so, and goes through once that is away",
  async (obstacle) => {
    const { backup, path } = await setting()
    const before = all(path)
    const away = obstacles[obstacle](path)
    try {
      await expect(restoring(backup, path)).rejects.toThrow(words[obstacle])
    } finally {
      away()
    }
    expect(all(path)).toEqual(before)
    expect(await inLog(path, Effect.zip(serverNames, printed))).toEqual([
      ["later", "old"],
      [undefined, "two was never so long", "late ran"],
    ])
    await released(path)
    const aside = (await restoring(backup, path)) as string
    expect(await inLog(path, Effect.zip(serverNames, printed))).toEqual([["old"], ["one ran", "two ran", undefined]])
    expect(await inLog(aside, serverNames)).toEqual(["later", "old"])
    expect(readdirSync(`${path}-logs`).sort()).toEqual(["one.gz", "two.gz"])
  },
)

it.each([
  ["what deployments printed", "-logs", "cannot be copied into", () => undefined],
  ["the log", "-shm", "EISDIR", () => undefined],
  ["the log, where there is an empty file", "-logs", "cannot be copied into", (path: string) => writeFileSync(path, "", { mode: 0o600 })], // biome-ignore format: one line
] as const)("leaves what was there where no log was, and there is no place for %s", async (_, end, said, make) => {
  const { backup } = await setting()
  const path = freshPath()
  make(path)
  // A file where a directory is to be, and the other way round.
  if (end === "-logs") writeFileSync(path + end, "")
  else mkdirSync(path + end)
  const before = all(path)
  await expect(restoring(backup, path)).rejects.toThrow(said)
  expect(all(path)).toEqual(before)
})
