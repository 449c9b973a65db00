/** The check of this machine's key: for its owner alone, a key, and the one that the log knows this machine by. */
import { statSync } from "node:fs"
import { type Membership, nobody } from "@context-engine/core/domain/Membership"
import { word } from "@context-engine/core/Shell"
import { type Check, type Finding, ok, trouble, warning } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"
import { loadSigner, type Signer } from "../Signer.js"
import { fingerprint } from "../trust/keys.js"
import { readMembership } from "../trust/membership.js"
import { glance } from "./look.js"

/** Looks at the key in a file, of which there may be none. `keyPath` is absent where nothing is signed. */
export const keys = (database: string, keyPath: string | undefined): Check => ({
  name: "key",
  look: Effect.gen(function* () {
    if (keyPath === undefined) return [ok("key", "off: what this machine does is not signed (CONTEXT_KEY=off)")]
    const found = statSync(keyPath, { throwIfNoEntry: false })
    if (found === undefined) return [ok("key", `none yet: ${keyPath} is made with the first command that writes`)]
    const mode = found.mode & 0o777
    const open = `${keyPath} can be read by others (${mode.toString(8).padStart(4, "0")})`
    const readable = (mode & 0o077) === 0 ? [] : [trouble("key", open, `chmod 600 ${word(keyPath)}`)]
    const signer = yield* Effect.either(
      Effect.try({ try: () => loadSigner(keyPath), catch: (error) => error as Error }),
    )
    if (signer._tag === "Left")
      return [...readable, trouble("key", signer.left.message, `mv ${word(keyPath)} ${word(`${keyPath}.old`)}`)]
    const members = yield* glance(database, (connection) => readMembership(connection))
    return [...readable, known(signer.right, members ?? nobody)]
  }),
})

/** Whether the log takes what this key signs. */
const known = ({ id, name, publicKey }: Signer, { machines, root }: Membership): Finding => {
  const print = fingerprint(publicKey)
  const own = machines.get(id)
  if (root === null) return ok("key", `${id}; nobody has said yet who may write to this log`)
  if (own?.status === "enrolled") return ok("key", `${id}, enrolled as ${own.name} (${own.role})`)
  if (own?.status === "revoked")
    return trouble(
      "key",
      `${id} was revoked: nothing that this machine writes is shared any more`,
      "context infra machine list",
    )
  if (own?.status === "waiting")
    return warning("key", `${id} waits to be enrolled; its fingerprint is ${print}`, `context infra machine approve ${word(own.name)} (on an admin machine)`) // biome-ignore format: one finding
  const other = [...machines.values()].find((one) => one.name === name && one.status === "enrolled")
  const found =
    other === undefined
      ? `${id} is not enrolled in this log`
      : `the log knows ${name} by another key (${other.machineId}); this one is ${id}`
  return warning("key", found, "put the old key back, or ask to be enrolled: context infra sync now")
}
