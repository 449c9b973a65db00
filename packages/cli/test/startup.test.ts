/** The launcher and its code cache: whatever state the cache is in, the program works; and there is one libSQL. */
import { spawn, spawnSync } from "node:child_process"
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
// @ts-expect-error the build is plain JavaScript
import { bundleCli } from "../../../scripts/build/bundle.mjs"

const root = fileURLToPath(new URL("../../..", import.meta.url))
// Inside the repository, so that the bundle finds the native libSQL as it does where it is installed.
const directory = join(root, "node_modules", ".cache", `context-startup-test-${process.pid}`)
const dist = join(directory, "dist")
const home = mkdtempSync(join(tmpdir(), "context-startup-"))

const run = (args: ReadonlyArray<string>, env: Record<string, string> = {}) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(directory, "bin", "context.cjs"), ...args], {
    env: { PATH: process.env.PATH, HOME: home, CONTEXT_DB: join(home, "infra.db"), ...env },
    encoding: "utf8",
  })
  return { status, stdout, stderr }
}

const cachesIn = (place: string): ReadonlyArray<string> =>
  existsSync(place)
    ? readdirSync(place)
        .filter((name) => name.includes(".cache"))
        .map((name) => join(place, name))
    : []

const theCache = (): string => {
  const [file, ...more] = cachesIn(dist)
  expect(more).toEqual([])
  return file as string
}

beforeAll(async () => {
  mkdirSync(dist, { recursive: true })
  cpSync(join(root, "packages/cli/bin"), join(directory, "bin"), { recursive: true })
  cpSync(join(root, "packages/cli/package.json"), join(directory, "package.json"))
  await bundleCli(join(dist, "context.cjs"))
})

beforeEach(() => {
  for (const file of cachesIn(dist)) rmSync(file)
  rmSync(join(home, ".cache"), { recursive: true, force: true })
})

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
  rmSync(home, { recursive: true, force: true })
})

describe("the code cache", () => {
  const help = () => {
    const ended = run(["--help"])
    expect(ended).toMatchObject({ status: 0, stderr: "" })
    expect(ended.stdout).toContain("context infra <command>")
  }

  it("is made by the first run and used, not made again, by the second", () => {
    help()
    const file = theCache()
    const made = statSync(file)
    expect(made.size).toBeGreaterThan(50_000)
    help()
    expect(statSync(theCache())).toMatchObject({ ino: made.ino, mtimeMs: made.mtimeMs })
  })

  it("is one for each command, whatever people named", () => {
    run(["infra", "server", "list"])
    run(["infra", "server", "list", "--json"])
    expect(cachesIn(dist)).toHaveLength(1)
    run(["infra", "status"])
    expect(cachesIn(dist)).toHaveLength(2)
  })

  it("is made again, once, for what no run had used before", () => {
    const inode = () => statSync(theCache()).ino
    run(["infra", "server", "list"])
    const first = inode()
    run(["infra", "server", "add", "alpha"])
    const both = inode()
    expect(both).not.toBe(first)
    run(["infra", "server", "list"])
    run(["infra", "server", "add", "beta"])
    expect(inode()).toBe(both)
  })

  it("is not made by a command line that could not be understood", () => {
    expect(run(["infra", "nonsense"]).status).toBe(2)
    expect(cachesIn(dist)).toEqual([])
  })

  it("is whole after several first runs at once", async () => {
    const started = Array.from({ length: 4 }, () =>
      spawn(process.execPath, [join(directory, "bin", "context.cjs"), "--help"], { env: { HOME: home } }),
    )
    const codes = await Promise.all(
      started.map((child) => new Promise((resolve) => child.stdout.resume() && child.once("close", resolve))),
    )
    expect(codes).toEqual([0, 0, 0, 0])
    const { ino } = statSync(theCache())
    help()
    expect(statSync(theCache()).ino).toBe(ino)
  })

  const damages: Record<string, (file: string) => void> = {
    empty: (file) => truncateSync(file, 0),
    truncated: (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
    "something else": (file) => writeFileSync(file, "not a cache\n0"),
    // V8 would take this one, and crash or compute something else.
    "changed in one byte": (file) => {
      const content = readFileSync(file)
      const middle = Math.floor(content.length / 2)
      content.writeUInt8(content.readUInt8(middle) ^ 0x55, middle)
      writeFileSync(file, content)
    },
  }

  it.each(Object.keys(damages))("is remade when it is %s", (damage) => {
    help()
    const whole = statSync(theCache()).size
    damages[damage]?.(theCache())
    const { ino } = statSync(theCache())
    help()
    expect(statSync(theCache()).ino).not.toBe(ino)
    expect(statSync(theCache()).size).toBeGreaterThan(whole * 0.9)
    help()
  })

  it("is not taken from a file that others may write", () => {
    help()
    chmodSync(theCache(), 0o666)
    const { ino } = statSync(theCache())
    help()
    expect(statSync(theCache()).ino).not.toBe(ino)
  })

  // As root nothing is unwritable: a file in the directory's place is.
  const occupied = join(home, "occupied")

  it("goes to the user's cache directory where the program's own is not writable", () => {
    writeFileSync(occupied, "")
    const elsewhere = join(home, "xdg")
    for (const [env, place] of [
      [{}, join(home, ".cache", "context")],
      [{ XDG_CACHE_HOME: elsewhere }, join(elsewhere, "context")],
    ] as const) {
      withReadOnlyDist(() => {
        expect(run(["--help"], env)).toMatchObject({ status: 0, stderr: "" })
        const [file] = cachesIn(place)
        expect(file).toBeDefined()
        const { ino } = statSync(file as string)
        expect(run(["--help"], env)).toMatchObject({ status: 0, stderr: "" })
        expect(statSync(file as string).ino).toBe(ino)
      })
    }
  })

  it("is done without where no place is writable", () => {
    writeFileSync(occupied, "")
    withReadOnlyDist(() => {
      const ended = run(["--help"], { XDG_CACHE_HOME: occupied, HOME: occupied })
      expect(ended).toMatchObject({ status: 0, stderr: "" })
    })
  })
})

/** Root may write anywhere; then directories that stand where the cache and its like would go keep it out. */
const withReadOnlyDist = (body: () => void): void => {
  if (process.getuid?.() !== 0) {
    chmodSync(dist, 0o555)
    try {
      body()
    } finally {
      chmodSync(dist, 0o755)
    }
    return
  }
  // The name of the cache, from one that is made for it.
  run(["--help"], { XDG_CACHE_HOME: join(home, "unused") })
  const file = theCache()
  rmSync(file)
  mkdirSync(join(file, "in-the-way"), { recursive: true })
  try {
    body()
  } finally {
    rmSync(file, { recursive: true })
  }
}

it("says what to do when nothing has been built, and ends with 70", () => {
  const empty = join(directory, "empty")
  cpSync(join(directory, "bin"), join(empty, "bin"), { recursive: true })
  const ended = spawnSync(process.execPath, [join(empty, "bin", "context.cjs")], { encoding: "utf8" })
  expect(ended).toMatchObject({ status: 70, stdout: "" })
  expect(ended.stderr).toContain("npm run build")
})

it("names the source in stack traces with CONTEXT_DEBUG=1", () => {
  const ended = run(["infra", "status"], { CONTEXT_DEBUG: "1", NODE_OPTIONS: `--require=${trap()}` })
  expect(ended.stderr).toMatch(/packages\/cli\/src\/\w+\.ts:\d+/)
})

/** Makes the program fail with a bug of its own. */
const trap = (): string => {
  const file = join(home, "trap.cjs")
  writeFileSync(file, `process.stdout.write = () => { throw new Error("trapped") }`)
  return file
}

it("has one native libSQL: two in one process lose writes", () => {
  const found = new Set<string>()
  const walk = (place: string): void => {
    for (const entry of readdirSync(place, { withFileTypes: true })) {
      const path = join(place, entry.name)
      if (entry.name === "index.node" && dirname(place).endsWith("@libsql")) {
        found.add(
          `${dirname(realpathSync(path))} ${JSON.parse(readFileSync(join(place, "package.json"), "utf8")).version}`,
        )
      } else if (entry.isDirectory() && entry.name !== ".cache") walk(path)
    }
  }
  walk(join(root, "node_modules"))
  const names = [...found].map((one) => one.replace(/ .*/, "").replace(/.*@libsql/, "@libsql"))
  // npm installs the binaries of both C libraries on Linux; one of each at most, and all of one version.
  expect(names.length).toBe(new Set(names).size)
  expect(new Set([...found].map((one) => one.replace(/.* /, ""))).size).toBe(1)
})
