import { cpSync, mkdirSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { expect, it } from "vitest"
import { inSetting } from "./setting.js"

it("notices a second copy of the driver in the process, cheaply, and says what to do", () =>
  inSetting(async ({ directory, workers }) => {
    const path = join(directory, "infra.db")
    const alone = (await workers.start("natives", path).hear("result")).result
    console.log(`one native driver: checked in ${alone.took.toFixed(3)} ms`)
    expect(alone.error).toBeNull()

    const two = (await workers.start("natives", path, copyDriver(directory)).hear("result")).result
    expect(two.error).toMatchObject({ reason: "unavailable", message: expect.stringContaining("two copies of libSQL") })
    expect(two.error.message).toContain(directory)
  }))

/** Copies the driver and its native half, as another package's own dependency would lie there; gives its path. */
const copyDriver = (directory: string): string => {
  const require = createRequire(import.meta.url)
  const driver = dirname(require.resolve("libsql"))
  const modules = join(directory, "node_modules")
  mkdirSync(modules)
  cpSync(driver, join(modules, "libsql"), { recursive: true })
  const native = Object.keys(require.cache).find((file) => file.endsWith(".node"))
  const loaded = native ?? (require("libsql") && Object.keys(require.cache).find((file) => file.endsWith(".node")))
  const folder = dirname(loaded as string)
  cpSync(folder, join(modules, "@libsql", folder.split(/[\\/]/).at(-1) as string), { recursive: true })
  for (const name of ["@neon-rs/load", "detect-libc"]) {
    cpSync(dirname(createRequire(join(driver, "index.js")).resolve(`${name}/package.json`)), join(modules, name), {
      recursive: true,
    })
  }
  return join(modules, "libsql")
}
