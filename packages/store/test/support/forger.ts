/** What somebody with the token alone can append to a shared log: rows that chain as they should, of any content. */

import { canonicalJson } from "@context-engine/core/CanonicalJson"
import { machinesStream } from "@context-engine/core/domain/Machine"
import { insertRows, place, readVersions } from "../../src/append.js"
import type { Connection } from "../../src/connection.js"
import { digestOf, type EventRow } from "../../src/record.js"
import { type Signer, signedBytes, signedOf, signerOf } from "../../src/Signer.js"
import { readHead, type Signing } from "../../src/standing.js"
import { newKey } from "../../src/trust/keys.js"
import { type Draft, newSession, sealUnit } from "../../src/trust/sealing.js"
import { serverAdded, uuid } from "./events.js"

const meta = { actor: "root", via: "cli", machine: "vm", commandId: "00000000-0000-7000-8000-00000000f0f0" } as const

/** A server's first event, said to be by root@vm. */
export const draft = (about: Partial<Draft> & { readonly body?: unknown } = {}): Draft => {
  const { body, ...rest } = about
  const event = serverAdded(`evil-${uuid()}`)
  return {
    id: uuid(),
    stream: `server-${uuid()}`,
    type: event.type,
    schema: 1,
    data: canonicalJson(body === undefined ? event.data : body),
    meta,
    occurredAt: "2026-01-01T00:00:00.000Z",
    ...rest,
  }
}

/** What is written over a row before it gets its place. */
export interface Over {
  readonly id?: string
  readonly stream?: string
  readonly type?: string
  readonly schema?: number
  readonly data?: string
  readonly meta?: string
  readonly occurredAt?: string
  readonly signature?: string | null
  readonly salt?: string | null
  readonly digest?: string | null
}

const columnOf = {
  id: 1,
  stream: 2,
  type: 4,
  schema: 5,
  data: 6,
  meta: 7,
  occurredAt: 8,
  signature: 11,
  salt: 12,
  digest: 13,
} as const

/** A row with other content, whose digest is right for it unless that is what is written over. */
export const rewritten = (row: EventRow, over: Over): EventRow => {
  const fields = Object.entries(over) as ReadonlyArray<[keyof typeof columnOf, unknown]>
  const changed: Array<unknown> = [...row]
  for (const [name, value] of fields) changed[columnOf[name]] = value
  if (over.data !== undefined && over.digest === undefined && changed[12] !== null)
    changed[13] = digestOf(changed[12] as string, over.data)
  return changed as unknown as EventRow
}

/** The same, signed as a machine would that wrote it so. */
export const resigned = (rows: ReadonlyArray<EventRow>, signer: Signer, root: string): ReadonlyArray<EventRow> => {
  const signature = signer.sign(signedBytes(rows.map(signedOf), root))
  return rows.map((row) => row.with(11, signature) as unknown as EventRow)
}

/** A key that nobody enrolled. */
export const stranger = (name = "stranger"): Signer => ({ ...signerOf(newKey()), name })

/** A unit signed with a key, at the beginning of a session of its own or in another chain. */
export const signed = (
  drafts: ReadonlyArray<Draft>,
  signer: Signer,
  root: string,
  chain: Signing = newSession(signer.id, root),
): ReadonlyArray<EventRow> => sealUnit(drafts, signer, chain).rows

export const unsigned = (drafts: ReadonlyArray<Draft>): ReadonlyArray<EventRow> =>
  sealUnit(drafts, undefined, undefined).rows

/** Rows at the end of a log that is read from a connection, as they would be stored there. */
export const placed = (connection: Connection, rows: ReadonlyArray<EventRow>): ReadonlyArray<EventRow> => {
  const versions = new Map(readVersions(connection, [...new Set(rows.map((row) => row[2]))]))
  const head = readHead(connection)
  const now = new Date().toISOString()
  // biome-ignore lint/complexity/useMathMinMax: they are texts
  return place(rows, versions, head, now > head.recordedAt ? now : head.recordedAt)
}

/** Appends rows straight to a shared log, `asTheyAre` or as they would follow there. Gives their ids. */
export const slipIn = (
  connection: Connection,
  rows: ReadonlyArray<EventRow>,
  asTheyAre = false,
): ReadonlyArray<string> => {
  const made = asTheyAre ? rows : placed(connection, rows)
  insertRows(connection, made)
  return made.map((row) => row[1])
}

/** What the forger knows: who writes to the log, and nothing of their keys. */
export interface Target {
  readonly root: string
  /** A machine that is enrolled, by its public half. */
  readonly victim: Pick<Signer, "id" | "name" | "publicKey">
  /** A server and its name. */
  readonly server: { readonly stream: string; readonly name: string }
}

const deep = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`

const service = (over: object) => ({
  name: "evil",
  serverId: uuid(),
  type: null,
  runtime: null,
  port: null,
  healthEndpoint: null,
  config: null,
  envVars: [],
  projectPath: null,
  gitRepo: null,
  deployCommand: null,
  deploySettings: null,
  restartCommand: null,
  logPath: null,
  notes: null,
  ...over, // biome-ignore format: one row
})

/** Payloads that once stopped every machine, or were folded: what of an event is other than it should be. */
export const payloads: Readonly<
  Record<string, (target: Target) => { readonly about?: Parameters<typeof draft>[0]; readonly over?: Over }>
> = {
  "data null": () => ({ over: { data: "null" } }),
  "data that is no JSON": () => ({ over: { data: "{" } }),
  "no data": () => ({ over: { data: "" } }),
  "a list for data": () => ({ over: { data: "[]" } }),
  "a number for data": () => ({ over: { data: "1e999" } }),
  "a text for data": () => ({ over: { data: '"x"' } }),
  "deep JSON": () => ({ over: { data: deep(20_000) } }),
  "deep JSON within its shape": () => ({ over: { data: `{"name":"x","tags":${deep(5_000)}}` } }),
  "a replaced character, as invalid UTF-8 is read": () => ({ over: { data: '{"name":"\ufffd"}' } }),
  NUL: () => ({ over: { data: '{"name":"\\u0000"}' } }),
  "half a character": () => ({ over: { data: '{"name":"\\ud800"}' } }),
  "a prototype": () => ({ over: { data: '{"__proto__":{"name":"x"},"constructor":1}' } }),
  "a megabyte": () => ({ over: { data: JSON.stringify({ name: "x".repeat(1_000_000) }) } }),
  "a string for a port": () => ({ about: { type: "ServiceAdded", stream: `service-${uuid()}`, body: service({ port: "80" }) } }), // biome-ignore format: one line a payload
  "a number for a name": () => ({ about: { body: { ...(serverAdded("x").data as object), name: 7 } } }),
  "a duplicate name": ({ server }) => ({ about: { body: serverAdded(server.name).data } }),
  "a change of what is there": ({ server }) => ({ about: { type: "ServerUpdated", stream: server.stream, body: { name: server.name, changes: { local: true } } } }), // biome-ignore format: one line a payload
  "a change of a number's kind": ({ server }) => ({ about: { type: "ServerUpdated", stream: server.stream, body: { name: server.name, changes: 5 } } }), // biome-ignore format: one line a payload
  "a change of nothing": () => ({ about: { type: "ServerRenamed", body: { from: null, to: null } } }),
  "a removal of nothing": () => ({ about: { type: "ServerRemoved", body: {} } }),
  "a rejection of nothing": () => ({ about: { type: "CommandRejected", stream: `rejection-${uuid()}`, body: { events: [] } } }), // biome-ignore format: one line a payload
  "a rejection of null": () => ({ about: { type: "CommandRejected", stream: `rejection-${uuid()}`, body: { events: null } } }), // biome-ignore format: one line a payload
  "schema 999999": () => ({ about: { schema: 999_999 } }),
  "schema 0": () => ({ over: { schema: 0 } }),
  "schema below nothing": () => ({ over: { schema: -1 } }),
  "a type of nothing": () => ({ over: { type: "" } }),
  "a type that objects have": () => ({ over: { type: "constructor" } }),
  "a type that nobody knows": () => ({ about: { type: "MoonLanded", body: { where: "tranquillity" } } }),
  "a stream of nothing": () => ({ over: { stream: "" } }),
  "an id of many lines": () => ({ over: { id: `a\nb${uuid()}` } }),
  "meta null": () => ({ over: { meta: "null" } }),
  "meta that is no JSON": () => ({ over: { meta: "}" } }),
  "meta that says nothing": () => ({ over: { meta: "{}" } }),
  "deep meta": () => ({ over: { meta: deep(20_000) } }),
  "a megabyte of meta": () => ({ over: { meta: JSON.stringify({ ...meta, actor: "x".repeat(1_000_000) }) } }),
  "a time that is none": () => ({ over: { occurredAt: "yesterday" } }),
  "a signature of nothing": () => ({ over: { signature: "" } }),
  "a signature of a megabyte": () => ({ over: { signature: "x".repeat(1_000_000) } }),
  "a salt without a digest": () => ({ over: { salt: "x", digest: null } }),
  "a digest without a salt": () => ({ over: { salt: null } }),
  "a digest of other data": () => ({ over: { digest: "0".repeat(64) } }),
  "a member without a key": () => ({ over: { stream: machinesStream, type: "MachineEnrolled", data: "{}" } }),
  "a request that is null": () => ({ over: { stream: machinesStream, type: "EnrolmentRequested", data: "null" } }),
  "a key under another's id": () => ({ about: { stream: "machine-x", type: "MachineJoined", body: { machineId: "0123456789abcdef", name: "evil", publicKey: "AAAA" } } }), // biome-ignore format: one line a payload
  "a member under another's id": ({ victim }) => ({ about: { stream: machinesStream, type: "MachineEnrolled", body: { machineId: victim.id, name: "evil", publicKey: stranger().publicKey, role: "member" } } }), // biome-ignore format: one line a payload
  "a root that is null": () => ({ over: { stream: machinesStream, type: "RootEstablished", data: "null" } }),
  "a root of a later version": () => ({ over: { stream: machinesStream, type: "RootEstablished", schema: 99 } }),
}

/** The payload, unsigned or under a key. */
export const payload = (name: string, target: Target, signer?: Signer): ReadonlyArray<EventRow> => {
  const { about, over = {} } = (payloads[name] as (typeof payloads)[string])(target)
  const rows = signer === undefined ? unsigned([draft(about)]) : signed([draft(about)], signer, target.root)
  const made = rows.map((row) => rewritten(row, over))
  if (signer === undefined || over.signature !== undefined) return made
  return resigned(made, signer, target.root)
}

/** Ways to pretend to be somebody who may write. */
export const disguises: Readonly<Record<string, (target: Target) => ReadonlyArray<EventRow>>> = {
  unsigned: () => unsigned([draft()]),
  "a change, unsigned": ({ server }) => unsigned([draft({ type: "ServerUpdated", stream: server.stream, body: { name: server.name, changes: { local: true } } })]), // biome-ignore format: one line
  "its own key": ({ root }) => signed([draft()], stranger(), root),
  "its own key under another's id": ({ root, victim }) => signed([draft()], { ...stranger(), id: victim.id }, root),
  "two events of which one is signed": ({ root, victim }) => {
    const [first, second] = signed([draft(), draft()], { ...stranger(), id: victim.id }, root)
    return [first as EventRow, ...unsigned([draft()]), second as EventRow]
  },
  "a join under another's name": ({ root, victim }) => {
    const own = stranger(victim.name)
    const joined = draft({ stream: `machine-${own.id}`, type: "MachineJoined", body: { machineId: own.id, name: victim.name, publicKey: own.publicKey } }) // biome-ignore format: one line
    return signed([joined, draft()], own, root)
  },
  "an enrolment by itself": ({ root, victim }) => {
    const own = stranger(victim.name)
    const body = { machineId: own.id, name: victim.name, publicKey: own.publicKey, role: "admin" }
    return signed([draft({ stream: machinesStream, type: "MachineEnrolled", body })], own, root)
  },
  "an enrolment under another's id": ({ root, victim }) => {
    const own = stranger(victim.name)
    const body = { machineId: own.id, name: victim.name, publicKey: own.publicKey, role: "admin" }
    return signed([draft({ stream: machinesStream, type: "MachineEnrolled", body })], { ...own, id: victim.id }, root)
  },
  "a revocation": ({ root, victim }) => {
    const body = { machineId: victim.id, name: victim.name }
    return signed([draft({ stream: machinesStream, type: "MachineRevoked", body })], stranger(), root)
  },
  "a request with a proof of nothing": ({ root, victim }) => {
    const own = stranger()
    const body = { machineId: own.id, name: victim.name, publicKey: own.publicKey, invite: { inviteId: own.id, proof: "AAAA" } } // biome-ignore format: one line
    return signed(
      [draft({ stream: machinesStream, type: "EnrolmentRequested", body })],
      { ...own, id: victim.id },
      root,
    )
  },
  "a request in another's name, with its key": ({ root, victim }) => {
    const body = { machineId: victim.id, name: victim.name, publicKey: victim.publicKey, invite: null }
    return signed([draft({ stream: machinesStream, type: "EnrolmentRequested", body })], { ...stranger(), id: victim.id }, root) // biome-ignore format: one line
  },
}
