/** Directories for their owner alone, made where that can be, and refused where it cannot. */
import { spawnSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { makeDirectory } from "../src/files.js"
import { freshPath } from "./support/files.js"

const modeOf = (path: string) => statSync(path).mode & 0o777
const under = () => dirname(freshPath())

describe("makeDirectory", () => {
  it("makes all that is missing, for its owner alone, and leaves what is there as it is", () => {
    const there = join(under(), "there")
    mkdirSync(there)
    chmodSync(there, 0o755)
    makeDirectory(join(there, "a", "b"))
    makeDirectory(join(there, "a", "b"))
    expect([there, join(there, "a"), join(there, "a", "b")].map(modeOf)).toEqual([0o755, 0o700, 0o700])
  })

  it("is refused where a file is in the way, or a link to nothing", () => {
    const directory = under()
    writeFileSync(join(directory, "file"), "")
    symlinkSync(join(directory, "nothing"), join(directory, "link"))
    expect(() => makeDirectory(join(directory, "file"))).toThrow("EEXIST")
    expect(() => makeDirectory(join(directory, "file", "a"))).toThrow("ENOTDIR")
    expect(() => makeDirectory(join(directory, "link", "a"))).toThrow("ENOENT")
  })

  it.runIf(existsSync("/proc"))(
    "is refused where a directory takes none into it, for which Node's own way has no end",
    () => {
      expect(() => makeDirectory("/proc/context/a")).toThrow("ENOENT")
      const program = 'require("node:fs").mkdirSync("/proc/context/a", { recursive: true })'
      const ended = spawnSync(process.execPath, ["-e", program], { timeout: 1_500, killSignal: "SIGKILL" })
      expect(ended.signal, "Node ends it now: makeDirectory may be Node's own again").toBe("SIGKILL")
    },
  )
})
