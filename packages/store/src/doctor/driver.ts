/** The check of the native driver: it loads, works, and is there once. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { type Check, ok, trouble } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"
import { NativeConnection } from "../connection.js"
import { assertOneNative } from "../native.js"

export const driver: Check = {
  name: "driver",
  look: Effect.sync(() => {
    try {
      const connection = new NativeConnection(":memory:", 0, "")
      const [version] = connection.prepare("SELECT sqlite_version()").get()
      connection.close()
      assertOneNative()
      return [ok("driver", `libSQL${own()} (SQLite ${version}), one copy`)]
    } catch (error) {
      return [trouble("driver", (error as Error).message, "npm ls libsql")]
    }
  }),
}

/** Its version, where it says so: its package does not export the file that has it. */
const own = (): string => {
  try {
    const file = join(dirname(createRequire(import.meta.url).resolve("libsql")), "package.json")
    return ` ${JSON.parse(readFileSync(file, "utf8")).version}`
  } catch {
    return ""
  }
}
