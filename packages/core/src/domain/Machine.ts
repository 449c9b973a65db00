/**
 * The machines that may write to a log. The key that begins a log is its root; every other key is enrolled by an event that
 * an admin machine signed, or by a request that proves an invite. These events stand alone, all on one stream.
 */
import * as Schema from "effect/Schema"
import * as Event from "../Event.js"
import { Instant } from "./fields.js"

/** `admin` invites, approves, revokes and acknowledges; `member` does all the rest. */
export const Role = Schema.Literal("admin", "member")
export type Role = typeof Role.Type

const matching = (pattern: RegExp, what: string) =>
  Schema.String.pipe(Schema.filter((value) => pattern.test(value) || `must be ${what}`))

/** The first 16 hex digits of the SHA-256 of a public key. */
export const MachineId = matching(/^[0-9a-f]{16}$/, "the id of a machine's key")

/** Ed25519, SPKI in DER, base64. */
const PublicKey = matching(/^[A-Za-z0-9+/=]{40,120}$/, "an Ed25519 public key")

/** What people call a machine. One that is called as another's fingerprint or id would be taken for that one. */
export const MachineName = matching(
  /^(?!([0-9a-z]{4}-){3}[0-9a-z]{4}$|[0-9a-f]{16}$)[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/i,
  "a name of letters, digits, '.', '_' and '-' (at most 63), and not the form of a fingerprint or an id",
)

const key = { machineId: MachineId, name: MachineName, publicKey: PublicKey }

/** How a machine joined a log before logs had a root: by its own word. */
export const MachineJoined = Event.define(
  "MachineJoined",
  1,
  Schema.Struct({
    /** The first 16 hex digits of the SHA-256 of the public key. */
    machineId: Schema.String,
    name: Schema.String,
    /** Ed25519, SPKI in DER, base64. */
    publicKey: Schema.String,
  }),
)

/**
 * The key that begins a log, or goes on with one whose keys were lost. What precedes the cut-off is accepted as it is;
 * `machines` are enrolled beside the root, as a person was shown them. `roots` are those that counted before it on its machine, by
 * their events: whoever goes by it goes by them, too. `null` where an older version did not say.
 */
export const RootEstablished = Event.define(
  "RootEstablished",
  2,
  Schema.Struct({
    ...key,
    roots: Schema.NullOr(Schema.Array(Schema.String)),
    cutoff: Schema.Struct({ position: Schema.NonNegativeInt, hash: Schema.String }),
    machines: Schema.Array(Schema.Struct({ ...key, role: Role })),
  }),
)

/** A code that enrols so many machines, known by the public half of the key that is made from it. */
export const InviteIssued = Event.define(
  "InviteIssued",
  1,
  Schema.Struct({
    inviteId: MachineId,
    publicKey: PublicKey,
    role: Role,
    uses: Schema.Int.pipe(Schema.between(1, 10_000)),
    expiresAt: Instant,
  }),
)

/** An invite that nobody can use any more. */
export const InviteClosed = Event.define(
  "InviteClosed",
  1,
  Schema.Struct({ inviteId: MachineId, reason: Schema.Literal("expired", "withdrawn") }),
)

/** A machine asks to be enrolled, by itself. With the proof of an open invite it is; otherwise it waits for an admin. */
export const EnrolmentRequested = Event.define(
  "EnrolmentRequested",
  1,
  Schema.Struct({
    ...key,
    /** The signature of the invite's key over the log's root and this machine's public key, base64. */
    invite: Schema.NullOr(Schema.Struct({ inviteId: MachineId, proof: Schema.String })),
  }),
)

/** An admin enrolled a machine: one that asked, or one whose key was made for it. */
export const MachineEnrolled = Event.define("MachineEnrolled", 1, Schema.Struct({ ...key, role: Role }))

/** From here on nothing that this machine's key signs counts. */
export const MachineRevoked = Event.define(
  "MachineRevoked",
  1,
  Schema.Struct({ machineId: MachineId, name: Schema.String }),
)

export const MachineRenamed = Event.define(
  "MachineRenamed",
  1,
  Schema.Struct({ machineId: MachineId, from: Schema.String, to: MachineName }),
)

/**
 * An admin has seen what counts for nothing up to a position, and where running numbers break. It stays what it is. `count`: so many
 * places were new. `places`: names all of them up to there, so that nothing that is changed later is covered.
 */
export const InertAcknowledged = Event.define(
  "InertAcknowledged",
  2,
  Schema.Struct({ until: Schema.NonNegativeInt, count: Schema.NonNegativeInt, places: Schema.String }),
)

/** The aggregate of who may write. */
export const machines = { name: "machine" }

/** The one stream of it: read whole, it says who may write. */
export const machinesStream = "machine-all"

export const definitions = [
  MachineJoined,
  RootEstablished,
  InviteIssued,
  InviteClosed,
  EnrolmentRequested,
  MachineEnrolled,
  MachineRevoked,
  MachineRenamed,
  InertAcknowledged,
]

export type MachineEvent = {
  [K in keyof typeof definitions]: Event.EventOf<(typeof definitions)[K]>
}[number]

/** The types that say who may write: those that only an admin, or the machine itself, may sign. */
export const membershipTypes: ReadonlySet<string> = new Set(
  definitions.filter((one) => one !== (MachineJoined as unknown)).map(({ type }) => type),
)
