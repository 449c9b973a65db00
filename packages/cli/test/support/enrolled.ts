/** Machines that sign, each with a home of its own, and the ways into one log: by an invite, by an approval, by a key for a job. */
import { join } from "node:path"
import { hashOf } from "@context-engine/store/record"
import { remoteLog } from "@context-engine/store/sync/http"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { expect } from "vitest"
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
  const run = (line: string, options?: RunOptions) => place.run(line, withEnv(options))
  return {
    ...place,
    file,
    run,
    succeed: (line: string, options?: RunOptions) => place.succeed(line, withEnv(options)),
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
export const forge = async (sqld: Sqld, type: string, data: object): Promise<void> => {
  const remote = remoteLog({ url: sqld.url, token: sqld.token() })
  const first = await Effect.runPromise(remote.survey([]))
  if (first._tag === "Empty") throw new Error("there is no log to append to")
  const { head, logId } = first
  const found = await Effect.runPromise(remote.survey([head]))
  const hash = found._tag === "Log" ? (found.hashes.get(head) as string) : ""
  const at = new Date().toISOString()
  const meta = JSON.stringify({ actor: "root", commandId: crypto.randomUUID(), machine: "vm", via: "cli" })
  const id = crypto.randomUUID()
  const row = [
    head + 1,
    id,
    `server-${id}`,
    1,
    type,
    1,
    JSON.stringify(data),
    meta,
    at,
    at,
    "",
    null,
    null,
    null,
  ] as const
  const forged = [...row.slice(0, 10), hashOf(hash, row), null, null, null] as unknown as typeof row
  const from = { position: head, hash }
  const answer = await Effect.runPromise(remote.exchange({ from, logId, push: [forged], keepTimes: false, limit: 0 }))
  expect(answer?.head).toBe(head + 1)
}
