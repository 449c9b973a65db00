/** The check of this machine's key: for its owner alone, a key, and the one that the log knows this machine by. */
import { statSync } from "node:fs"
import { MachineJoined } from "@context-engine/core/domain/Machine"
import { adminsOf, type Membership, nobody } from "@context-engine/core/domain/Membership"
import type { SyncError } from "@context-engine/core/Errors"
import { word } from "@context-engine/core/Shell"
import { type Check, type Finding, ok, trouble, warning } from "@context-engine/core/services/Diagnosis"
import { type Sharing, toApprove, toBelong, withNewKey, withoutKey } from "@context-engine/core/services/sync/wayOut"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import type { Connection } from "../connection.js"
import { keyFileOf } from "../identity.js"
import { unreadable } from "../obstacle.js"
import { findSigner, type Signer } from "../Signer.js"
import { goneFor } from "../sync/firstContact.js"
import type { RemoteLog } from "../sync/RemoteLog.js"
import { readState } from "../sync/state.js"
import { keyTroubleOf } from "../sync/status.js"
import { fingerprint, isKeyLine, rootOfLine } from "../trust/keys.js"
import { readMembership } from "../trust/membership.js"
import { readData } from "../trust/typed.js"
import { glance } from "./look.js"
import { remoteMembers } from "./remoteMembers.js"

/** The shared log that the connection is to, if there is one. */
export interface Shared {
  readonly isConnected?: boolean
  /** That log itself, where it is the only one that there is: then it is asked. */
  readonly remote?: RemoteLog["Type"] | undefined
}

/**
 * Looks at the key in a file, of which there may be none, or at one that is given itself. `keyPath` is absent where nothing is signed.
 */
export const keys = (
  database: string,
  keyPath: string | undefined,
  { isConnected = false, remote }: Shared = {},
): Check => ({
  name: "key",
  look: Effect.gen(function* () {
    const vouched = keyPath !== undefined && isKeyLine(keyPath) ? rootOfLine(keyPath) : undefined
    const asked = remote && (yield* Effect.either(remoteMembers(remote, vouched)))
    const local = yield* glance(database, (connection) => readMembership(connection))
    const there = asked?._tag === "Right" ? asked.right : local
    const logId = (yield* glance(database, (connection) => readState(connection).logId)) ?? null
    const sharing = { logId, isConnected }
    const members = there ?? nobody
    if (keyPath === undefined) return [unsigned(members)]
    const given = isKeyLine(keyPath)
    const unread = given ? undefined : unreadable(keyPath)
    if (unread !== undefined) return [trouble("key", `${keyPath} cannot be read: ${unread.found}`, unread.fix)]
    const found = given ? undefined : statSync(keyPath, { throwIfNoEntry: false })
    if (!given && found === undefined) {
      const gone = yield* glance(database, (connection) =>
        keyTroubleOf(connection, { signer: undefined, keyFile: keyPath }),
      )
      return [gone == null ? none(keyPath, asked, members, sharing) : trouble("key", gone, withoutKey(sharing))]
    }
    const mode = (found?.mode ?? 0) & 0o777
    const open = `${keyPath} can be read by others (${mode.toString(8).padStart(4, "0")})`
    const readable = (mode & 0o077) === 0 ? [] : [trouble("key", open, `chmod 600 ${word(keyPath)}`)]
    const signer = yield* Effect.either(
      Effect.try({ try: () => findSigner(keyPath) as Signer, catch: (error) => error as Error }),
    )
    if (signer._tag === "Left") return [...readable, unusable(keyPath, signer.left)]
    const print = fingerprint(signer.right.publicKey)
    if (asked?._tag === "Left")
      return [...readable, warning("key", `${print}; whether it is enrolled could not be asked: ${asked.left.message}`)]
    if (vouched !== undefined && members.root !== null && members.root.eventId !== vouched.root)
      return [...readable, trouble("key", `${print}, which is for a log under another root than this one`, anew)]
    // A log is older than the key that was made for it: without a root it is gone, or another is in its place.
    if (vouched !== undefined && remote !== undefined && members.root === null)
      return [...readable, trouble("key", `${print}; ${goneFor}`, putBack)]
    if (members.root !== null)
      return [
        ...readable,
        enrolled(signer.right, members, { isFileless: remote !== undefined, keyFile: keyFileOf(keyPath), sharing }),
      ]
    if (there === undefined)
      return [...readable, ok("key", `${print}; there is no log yet in which it could be enrolled`)]
    const joined = (yield* glance(database, machines)) ?? []
    return [...readable, remote === undefined ? known(signer.right, joined) : rootless(print)]
  }),
})

const anew = "context infra machine add <name>, on an admin machine"

const putBack = "context infra sync heal, on a machine that has the log; or name the right address (TURSO_URL)"

type Asked = Either.Either<Membership | undefined, SyncError> | undefined

/** Nothing signs yet. Where nothing is kept either, a key that is made for a command is enrolled by nobody. */
const none = (keyPath: string, asked: Asked, { root }: Membership, sharing: Sharing): Finding => {
  const made = `${keyPath} is made with the first command that writes`
  if (asked === undefined && root !== null)
    return warning(
      "key",
      `none yet: ${made}, and counts for nothing in this log before it is enrolled`,
      toBelong(sharing),
    )
  if (asked === undefined) return ok("key", `none yet: ${made}`)
  if (asked._tag === "Left")
    return warning("key", `none yet; whether one is needed could not be asked: ${asked.left.message}`)
  if (asked.right === undefined) return ok("key", `none yet: ${made}, which begins the shared log`)
  if (asked.right.root === null) return rootless("none yet")
  const found =
    "none in CONTEXT_KEY, and none in this home that is enrolled: this job reads the log, and what it writes is refused"
  return trouble("key", found, `${anew}, and its line in CONTEXT_KEY`)
}

const rootless = (print: string): Finding =>
  warning("key", `${print}; nobody has said yet who may write to the shared log`, "context infra machine root, on the machine that is to say so") // biome-ignore format: one line

const unusable = (keyPath: string, { message }: Error): Finding =>
  isKeyLine(keyPath)
    ? trouble("key", message, anew)
    : trouble("key", message, `mv ${word(keyPath)} ${word(`${keyPath}.old`)}`)

const unsigned = ({ root }: Membership): Finding => {
  if (root === null) return ok("key", "off: what this machine does is not signed (CONTEXT_KEY=off)")
  const found = "off (CONTEXT_KEY=off), and the log is signed: nothing can be written to it here"
  return warning("key", found, "leave out CONTEXT_KEY=off")
}

interface Kept {
  readonly isFileless: boolean
  /** Where the key is kept, if that is a file. */
  readonly keyFile: string | undefined
  readonly sharing: Sharing
}

/** How this machine stands in a log that has a root. Without a file nothing that it writes is kept until it is enrolled. */
const enrolled = (key: Signer, { machines, root }: Membership, { isFileless, keyFile, sharing }: Kept): Finding => {
  const severe = isFileless ? trouble : warning
  const print = fingerprint(key.publicKey)
  const member = machines.get(key.id)
  switch (member?.status) {
    case "enrolled": {
      const role = root?.machineId === key.id ? "the root of this log" : `enrolled in this log as ${member.role}`
      return ok("key", `${print}, ${role}, by the name ${member.name}`)
    }
    case "waiting":
      return severe(
        "key",
        `${print}, which waits to be enrolled: nothing is pushed until then`,
        toApprove(member.name, adminsOf({ machines })),
      )
    case "revoked":
      return trouble(
        "key",
        `${print}, which was revoked: nothing that it signs counts`,
        isFileless ? anew : withNewKey(keyFile),
      )
    default:
      return severe(
        "key",
        `${print}, which is not enrolled in this log: nothing that it signs counts`,
        isFileless ? anew : toBelong(sharing),
      )
  }
}

interface Machine {
  readonly machineId: string
  readonly name: string
  readonly publicKey: string
}

const machines = (connection: Connection): ReadonlyArray<Machine> => readData(connection, MachineJoined, "*")

/** How it stands in a log that is older than roots. */
const known = (key: Signer, joined: ReadonlyArray<Machine>): Finding => {
  const same = joined.filter(({ machineId }) => machineId === key.id)
  if (same.some(({ publicKey }) => publicKey !== key.publicKey)) {
    const found = `the log has another public half for this machine's key ${key.id}: what it signs cannot be verified`
    return trouble("key", found, "context infra audit verify")
  }
  if (same.length > 0) return ok("key", `${key.id}, which the log knows`)
  const other = joined.findLast(({ name }) => name === key.name)
  if (other === undefined) return ok("key", `${key.id}, which has signed nothing in this log yet`)
  const found = `the log knows ${key.name} by another key (${other.machineId}); this one is ${key.id}`
  return warning("key", found, "put the old key back; or go on: context infra machine root says who may write")
}
