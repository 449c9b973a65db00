/** The check of this machine's key: for its owner alone, a key, and the one that the log knows this machine by. */
import { statSync } from "node:fs"
import { word } from "@context-engine/core/Shell"
import { type Check, type Finding, ok, trouble, warning } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"
import type { Connection } from "../connection.js"
import { loadSigner } from "../Signer.js"
import { glance } from "./look.js"

/** Looks at the key in a file, of which there may be none. `keyPath` is absent where nothing is signed. */
export const keys = (database: string, keyPath: string | undefined): Check => ({
  name: "key",
  look: Effect.gen(function* () {
    if (keyPath === undefined) return [ok("key", "off: what this machine does is not signed (CONTEXT_KEY=off)")]
    const found = statSync(keyPath, { throwIfNoEntry: false })
    if (found === undefined) return [ok("key", `none yet: ${keyPath} is made with the first command that writes`)]
    if (!found.isFile())
      return [trouble("key", `${keyPath} is no regular file`, "name this machine's key with CONTEXT_KEY")]
    const mode = found.mode & 0o777
    const open = `${keyPath} can be read by others (${mode.toString(8).padStart(4, "0")})`
    const readable = (mode & 0o077) === 0 ? [] : [trouble("key", open, `chmod 600 ${word(keyPath)}`)]
    const signer = yield* Effect.either(
      Effect.try({ try: () => loadSigner(keyPath), catch: (error) => error as Error }),
    )
    if (signer._tag === "Left")
      return [...readable, trouble("key", signer.left.message, `mv ${word(keyPath)} ${word(`${keyPath}.old`)}`)]
    const joined = (yield* glance(database, machines)) ?? []
    return [...readable, ...known(signer.right, joined)]
  }),
})

interface Machine {
  readonly machineId: string
  readonly name: string
  readonly publicKey: string
}

const machines = (connection: Connection): ReadonlyArray<Machine> =>
  connection
    .prepare("SELECT data FROM events WHERE type = 'MachineJoined' ORDER BY position")
    .all()
    .map(([data]) => JSON.parse(data))

const known = (key: ReturnType<typeof loadSigner>, joined: ReadonlyArray<Machine>): ReadonlyArray<Finding> => {
  const same = joined.filter(({ machineId }) => machineId === key.id)
  if (same.some(({ publicKey }) => publicKey !== key.publicKey)) {
    const found = `the log has another public half for this machine's key ${key.id}: what it signs cannot be verified`
    return [trouble("key", found, "context infra audit verify")]
  }
  if (same.length > 0) return [ok("key", `${key.id}, which the log knows`)]
  const other = joined.findLast(({ name }) => name === key.name)
  if (other === undefined) return [ok("key", `${key.id}, which has signed nothing in this log yet`)]
  const found = `the log knows ${key.name} by another key (${other.machineId}); this one is ${key.id}`
  return [warning("key", found, "put the old key back, or go on: this one joins the log when it writes")]
}
