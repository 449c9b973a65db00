/** Machines that sign, each with a home of its own, and the ways into one log: by an invite, by an approval, by a key for a job. */
import { join } from "node:path"
import { machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import { type EventRow, hashOf } from "@context-engine/store/record"
import { remoteLog } from "@context-engine/store/sync/http"
import type { Place } from "@context-engine/store/sync/protocol"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { expect } from "vitest"
import { draft, signed, stranger } from "../../../store/test/support/forger.js"
import type { Sqld } from "../../../store/test/support/sqld.js"
import { type RunOptions, workspace } from "./cli.js"

/** A machine with a key and a configuration of its own. What it writes is pushed when it is told to. */
export const signing = (actor: string, more: Readonly<Record<string, string>> = {}) => {
  const place = workspace()
  const file = join(place.directory, "sync.json")
  const env = {
    CONTEXT_KEY: join(place.directory, "machine.key"),
    CONTEXT_SYNC_FILE: file,
    CONTEXT_ACTOR: actor,
    ...more,
  }
  const withEnv = (options: RunOptions = {}) => ({ ...options, env: { ...env, ...options.env } })
  const run = (line: string | ReadonlyArray<string>, options?: RunOptions) => place.run(line, withEnv(options))
  return {
    ...place,
    file,
    run,
    succeed: (line: string | ReadonlyArray<string>, options?: RunOptions) => place.succeed(line, withEnv(options)),
    /** What a command says with `--json`, however it ends. */
    json: async (line: string, options?: RunOptions) => JSON.parse((await run(`${line} --json`, options)).stdout),
  }
}

export type Signing = ReturnType<typeof signing>

export const token = (sqld: Sqld): { readonly input: string } => ({ input: Redacted.value(sqld.token()) })

/** Brings a newcomer in, as people do: an invite of a machine that is an admin. */
export const invited = async (newcomer: Pick<Signing, "succeed">, by: Pick<Signing, "json">, sqld: Sqld) => {
  const { code } = await by.json("sync invite")
  return newcomer.succeed(`sync connect ${sqld.url} --invite ${code}`, token(sqld))
}

/** This machine, as the log knows it. */
export const itself = async (machine: Pick<Signing, "json">) =>
  (await machine.json("machine list")).machines.find((row: { readonly here: boolean }) => row.here)

/** Appends an event to the shared log with the token alone, as whoever has that can. */
export const forge = (sqld: Sqld, type: string, data: object): Promise<void> =>
  append(sqld, () => {
    const at = new Date().toISOString()
    const meta = JSON.stringify({ actor: "root", commandId: crypto.randomUUID(), machine: "vm", via: "cli" })
    const id = crypto.randomUUID()
    return [0, id, `server-${id}`, 1, type, 1, JSON.stringify(data), meta, at, at, "", null, null, null]
  })

/** Begins a root of it in the same way; `version` says the how manyth it is on its stream. */
export const forgeRoot = (sqld: Sqld, name: string, version: number): Promise<void> =>
  append(sqld, (cutoff) => {
    const key = stranger(name)
    const body = { machineId: key.id, name, publicKey: key.publicKey, cutoff, machines: [], roots: [] }
    const { schema, type } = RootEstablished
    const root = draft({ stream: machinesStream, type, schema, body })
    const [row] = signed([root], key, root.id)
    return (row as EventRow).with(3, version) as unknown as EventRow
  })

const append = async (sqld: Sqld, make: (head: Place) => EventRow): Promise<void> => {
  const remote = remoteLog({ url: sqld.url, token: sqld.token() })
  const first = await Effect.runPromise(remote.survey([]))
  if (first._tag === "Empty") throw new Error("there is no log to append to")
  const { head, logId } = first
  const found = await Effect.runPromise(remote.survey([head]))
  const from = { position: head, hash: found._tag === "Log" ? (found.hashes.get(head) as string) : "" }
  const row = make(from).with(0, head + 1) as unknown as EventRow
  const forged = row.with(10, hashOf(from.hash, row)) as unknown as EventRow
  const answer = await Effect.runPromise(remote.exchange({ from, logId, push: [forged], keepTimes: false, limit: 0 }))
  expect(answer?.head).toBe(head + 1)
}
