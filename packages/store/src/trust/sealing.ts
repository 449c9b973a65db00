/**
 * The writer's side of trust: a unit of events gets salts, its place in the chain of its machine, and one signature. Done within
 * the transaction that appends it, so that every process of a machine goes on with the same chain.
 */
import { canonicalJson, storedJson } from "@context-engine/core/CanonicalJson"
import { MachineJoined, machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import { isEnrolled, type Membership } from "@context-engine/core/domain/Membership"
import { StorageError } from "@context-engine/core/Errors"
import type { Meta } from "@context-engine/core/Event"
import { isApart } from "@context-engine/core/effectiveTime"
import * as Id from "@context-engine/core/Id"
import { randomBytes } from "@context-engine/core/random"
import type { Connection } from "../connection.js"
import { digestOf, type EventRow, type Writable } from "../record.js"
import { type Signed, type Signer, signedBytes, signedOf } from "../Signer.js"
import { type Own, readSigning, type Signing } from "../standing.js"
import { readMembership } from "./membership.js"

/** An event whose data is text already. Its meta says who wanted it; the chain's part of it comes with the seal. */
export interface Draft {
  readonly id: string
  readonly stream: string
  readonly type: string
  readonly schema: number
  readonly data: string
  readonly meta: Meta
  readonly occurredAt: string
}

/**
 * The chain that a key goes on with. Where the log has more of it than this file wrote, the file is an older copy of itself that
 * somebody put back: what follows is a chain of its own.
 */
export const chainOfKey = ({ link, signing }: Own, signer: Signer): Signing | undefined => {
  if (signing?.machine !== signer.id) return undefined
  const { number, unit } = link
  return number > signing.number || (number === signing.number && unit !== signing.unit) ? undefined : signing
}

/** A chain of its own, from the first unit on. */
export const newSession = (machine: string, root: string): Signing => ({
  machine,
  root,
  session: Buffer.from(randomBytes(8)).toString("hex"),
  number: 0,
  unit: "",
  occurredAt: "",
})

/** A unit as rows without a place, and the chain after it. `seen`: how far its writer has the shared log. */
export const sealUnit = (
  drafts: ReadonlyArray<Draft>,
  signer: Signer | undefined,
  chain: Signing | undefined,
  seen = 0,
): { readonly rows: ReadonlyArray<EventRow>; readonly chain: Signing | undefined } => {
  const number = (chain?.number ?? 0) + 1
  const had = seen === 0 ? {} : { seen }
  const part =
    signer === undefined || chain === undefined
      ? had
      : { ...had, key: signer.id, session: chain.session, number, previous: chain.unit, count: drafts.length }
  const isMany = signer !== undefined && chain !== undefined && drafts.length > 1
  let last: Meta | undefined
  let meta = ""
  const rows = drafts.map((draft, index): Writable<EventRow> => {
    if (isMany || draft.meta !== last) meta = storedJson({ ...draft.meta, ...part, ...(isMany && { index }) })
    last = draft.meta
    const salt = newSalt()
    const digest = digestOf(salt, draft.data)
    const { data, id, occurredAt, schema, stream, type } = draft
    return [0, id, stream, 0, type, schema, data, meta, occurredAt, "", "", null, salt, digest]
  })
  if (signer === undefined || chain === undefined) return { rows, chain: undefined }
  const bytes = signedBytes(rows.map(signedOf), chain.root)
  const signature = signer.sign(bytes)
  for (const row of rows) row[11] = signature
  return {
    rows,
    chain: { ...chain, number, unit: bytes.toString("hex"), occurredAt: lastStated(rows, chain.occurredAt) },
  }
}

const newSalt = (): string => Buffer.from(randomBytes(16)).toString("base64url")

/** The latest time that a session has stated, after a unit of it. `""` before the first. */
export const lastStated = (unit: ReadonlyArray<EventRow>, before: string): string => {
  const [first] = unit
  if (first === undefined) return before
  const last = unit.map((row) => row[8]).sort()[unit.length - 1] as string
  return isApart({ stream: first[2], type: first[4] }) && before > last ? before : last
}

/** What a unit is called in the chain of its machine. */
export const unitHash = (rows: ReadonlyArray<EventRow>, root: string): string =>
  signedBytes(
    rows.map((row): Signed => signedOf(row)),
    root,
  ).toString("hex")

/** What has to come before the first unit of a key in a file, and the chain that it begins. */
export interface Beginning {
  readonly before: ReadonlyArray<Draft>
  readonly chain: Signing
}

/**
 * The chain for a key that has written nothing in this file yet, or only in a log without a root. A log that is this machine's
 * alone gets its root here; one that has a root takes only machines that were enrolled, or wait to be while they are connected.
 * Where others wrote before there were roots, a person decides who is it: until then a key joins by its own word, as theirs did,
 * so that what it signs can be checked.
 */
export const begin = (
  connection: Connection,
  signer: Signer,
  about: Pick<Draft, "meta" | "occurredAt">,
  head: { readonly position: number; readonly hash: string },
): Beginning => {
  const members = readMembership(connection)
  refuseStranger(connection, signer, members)
  if (members.root !== null) return { before: [], chain: newSession(signer.id, members.root.eventId) }
  if (isOwn(connection, signer)) {
    const root = rootDraft(signer, about, { position: head.position, hash: head.hash }, [])
    return { before: [root], chain: newSession(signer.id, root.id) }
  }
  const known = readSigning(connection)
  const chain = known?.machine === signer.id && known.root === "" ? known : newSession(signer.id, "")
  return { before: hasJoined(connection, signer) ? [] : [joinedDraft(signer, about)], chain }
}

/** A key that was made for one log begins no other: what it wrote there would reach nobody. */
const refuseJob = ({ isJob = false }: Signer): void => {
  if (!isJob) return
  throw new StorageError({
    reason: "not-enrolled",
    message:
      "CONTEXT_KEY holds the key of a job, which is for the log that machines share; that log is not here, and nothing was written: work on it directly with CONTEXT_SYNC=remote, or take it over first: context infra sync connect <url>",
  })
}

/** The event that makes a key the root of a log. Its own id is what binds every later signature to this log. */
export const rootDraft = (
  signer: Signer,
  { meta, occurredAt }: Pick<Draft, "meta" | "occurredAt">,
  cutoff: { readonly position: number; readonly hash: string },
  machines: ReadonlyArray<Pick<Signer, "name" | "publicKey"> & { readonly machineId: string; readonly role: string }>,
  /** Those that count before it. */
  roots: ReadonlyArray<string> = [],
): Draft => {
  const { schema, type } = RootEstablished
  const data = canonicalJson({ ...ownOf(signer), cutoff, machines, roots })
  return { id: Id.at(Date.now()), stream: machinesStream, type, schema, data, meta, occurredAt }
}

const joinedDraft = (signer: Signer, { meta, occurredAt }: Pick<Draft, "meta" | "occurredAt">): Draft => {
  const { schema, type } = MachineJoined
  return {
    id: Id.at(Date.now()),
    stream: streamOf(signer),
    type,
    schema,
    data: canonicalJson(ownOf(signer)),
    meta,
    occurredAt,
  }
}

const ownOf = ({ id, name, publicKey }: Signer) => ({ machineId: id, name, publicKey })

/** A log that began unsigned stays so, until a person makes a machine its root. */
export const isUnsigned = (connection: Connection): boolean =>
  connection.prepare("SELECT 1 FROM events WHERE position = 1 AND signature IS NULL").get() !== undefined &&
  readMembership(connection).root === null

/** Where a machine joined a log before logs had a root. */
const streamOf = ({ id }: Signer): string => `machine-${id}`

/** Whether a log without a root is this machine's alone: nobody shares anything of it, and no other machine has signed in it. */
export const isOwn = (connection: Connection, signer: Signer): boolean => {
  const [logId, confirmed] = connection.prepare("SELECT log_id, position FROM sync").get()
  return (logId === null || confirmed === 0) && !hasOthers(connection, signer)
}

const hasJoined = (connection: Connection, signer: Signer): boolean =>
  connection.prepare("SELECT 1 FROM events WHERE stream = ? LIMIT 1").get(streamOf(signer)) !== undefined

const isConnected = (connection: Connection): boolean => connection.prepare("SELECT log_id FROM sync").get()[0] !== null

/** Whether some other machine has signed here before logs had a root: then a person decides who is the root. */
const hasOthers = (connection: Connection, signer: Signer): boolean =>
  connection
    .prepare("SELECT 1 FROM events WHERE stream >= 'machine-' AND stream < 'machine.' AND stream <> ? LIMIT 1")
    .get(streamOf(signer)) !== undefined

/** A log that has a root takes only machines that were enrolled, or wait to be while they are connected. */
export const refuseStranger = (
  connection: Connection,
  signer: Signer,
  members: Membership = readMembership(connection),
): void => {
  if (members.root === null) refuseJob(signer)
  else if (!isEnrolled(members, signer.id) && !isConnected(connection)) throw notEnrolled(members)
}

/** What a machine writes after it was revoked counts for nothing: it is kept, for that may have been a mistake, but nothing is done. */
export const refuseRevoked = (connection: Connection, { id }: Signer): void => {
  const found = readMembership(connection).machines.get(id)
  if (found?.status !== "revoked") return
  throw new StorageError({
    reason: "not-enrolled",
    message: `this machine was revoked, and nothing that it does can be told in the log: if that was a mistake, context infra machine approve ${found.name} on an admin machine`,
  })
}

const notEnrolled = ({ machines, root }: Membership): StorageError => {
  const by = machines.get(root?.machineId ?? "")?.name ?? "another machine"
  return new StorageError({
    reason: "not-enrolled",
    message: `this machine's key is not enrolled in this log, which ${by} began; connect it (context infra sync connect <url> --invite <code>), or, if every enrolled key is lost, begin a new root on it (context infra machine root --keys-lost)`,
  })
}
