/** The check of whether commands can write to the log: the same question that they ask before they act. */
import { pathToFileURL } from "node:url"
import { type Check, type Finding, trouble } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"
import { NativeConnection, storageError } from "../connection.js"
import { hasWal } from "../identify.js"
import { checkWritable } from "../mayWrite.js"
import { migrations } from "../schema.js"
import { obstacleTo } from "../writable.js"
import { glance } from "./look.js"

export interface Options {
  /** Whether a person named the log, which then may be a copy that is only looked at. */
  readonly isNamed?: boolean
}

/** Tells nothing of what is no log, or of one that no program has worked on since it was copied. */
export const writable = (path: string, { isNamed = false }: Options = {}): Check => ({
  name: "writable",
  look: Effect.gen(function* () {
    const [version] = (yield* glance(path, (connection) => connection.prepare("PRAGMA user_version").get())) ?? []
    if (version === undefined || (isNamed && !hasWal(path))) return []
    const obstacle = obstacleTo(path)
    if (obstacle !== undefined) return [refused(obstacle.found, obstacle.fix)]
    return version === migrations.length ? asked(path) : []
  }),
})

const refused = (why: string, fix: string): Finding =>
  trouble("writable", `no command can write to the log: ${why}`, fix)

/** What the rights do not tell, the driver does. */
const asked = (path: string): ReadonlyArray<Finding> => {
  const connection = new NativeConnection(`${pathToFileURL(path).href}?mode=rw`, 2_000, "")
  try {
    checkWritable(connection)
    return []
  } catch (cause) {
    const { message, reason } = storageError(path, cause)
    // Whoever holds it for so long writes to it.
    return reason === "busy" ? [] : [refused(message, "see whose it is, and how its disk is mounted")]
  } finally {
    connection.close()
  }
}
