/** @event-driven-io/emmett-sqlite 0.38.5, installed into a folder of its own: to compare with, never a dependency. */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { resolve } from "node:path"
import type { StreamAppend } from "@context-engine/core/EventLog"

const folder = resolve("node_modules/.cache/bench-emmett")
const wanted = "@event-driven-io/emmett-sqlite@0.38.5"

/** Its driver is built from source where no binary can be had: minutes, once. */
const install = (): boolean => {
  if (existsSync(`${folder}/node_modules/sqlite3/build/Release/node_sqlite3.node`)) return true
  console.error(`Installing ${wanted} to compare with (its driver may have to be compiled: minutes) …`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/package.json`, '{ "private": true }')
  const npm = (...args: ReadonlyArray<string>) => execFileSync("npm", args, { cwd: folder, stdio: "ignore" })
  try {
    npm("install", "--no-audit", "--no-fund", wanted)
    npm("rebuild", "sqlite3", "--ignore-scripts=false")
    return true
  } catch {
    return false
  }
}

/** An event store in a file, or `undefined` where it cannot be installed. */
export const makeEmmett = async (path: string) => {
  if (!install()) return undefined
  const require = createRequire(`${folder}/package.json`)
  const { getSQLiteEventStore } = require("@event-driven-io/emmett-sqlite")
  const store = getSQLiteEventStore({ fileName: path, schema: { autoMigration: "CreateOrUpdate" } })
  return {
    append: async ({ events, stream }: StreamAppend): Promise<void> => {
      const { data, type } = events[0]!
      for (let tries = 0; ; tries++) {
        try {
          await store.appendToStream(stream, [{ type, data }])
          return
        } catch (error) {
          // On a busy machine it now and then fails to commit with "SQL statements in progress"; its users try again, too.
          if (tries === 4) throw error
        }
      }
    },
  }
}
