/** Batches over HTTP, to Turso or a libSQL server of one's own. The token goes there and nowhere else. */
import { DeadlineError, withDeadline } from "@context-engine/core/Deadline"
import { SyncError } from "@context-engine/core/Errors"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { repairable } from "./answers.js"
import { addressOf, type Endpoint, withoutSecrets } from "./endpoint.js"
import type { Rows } from "./protocol.js"
import { type Batch, make, type RemoteLog } from "./RemoteLog.js"
import { NetworkFailure, wire } from "./wire.js"

export interface Options {
  /** How long one answer may take. Default 30 seconds. */
  readonly deadline?: Duration.DurationInput
}

/** The shared log at an endpoint. The client is loaded when it is first needed. */
export const remoteLog = (endpoint: Endpoint, options: Options = {}): RemoteLog["Type"] => {
  const address = addressOf(endpoint.url)
  const deadline = Duration.toMillis(options.deadline ?? "30 seconds")
  // One batch at a time: who gives up on it ends its requests, too.
  let current: AbortSignal | undefined
  const connect = Effect.runSync(
    Effect.cached(
      Effect.tryPromise({
        try: () => open(endpoint, () => current),
        catch: (error) => syncError(address, "read", endpoint, error),
      }),
    ),
  )
  const batch: Batch = (statements, mode) =>
    Effect.flatMap(connect, (client) =>
      Effect.tryPromise({
        try: (given) =>
          withDeadline(deadline, given, async (signal) => {
            current = signal
            const asked = statements.map(({ args, sql }) => ({ sql, args: [...args] }))
            const results = await client.batch(asked, mode)
            return results.map((result): Rows => result.rows.map((row) => Array.from(row as ArrayLike<unknown>)))
          }),
        catch: (error) => error,
      }).pipe(
        Effect.catchAll((error) =>
          lacksTable(error) ? Effect.succeed(null) : Effect.fail(syncError(address, mode, endpoint, error)),
        ),
      ),
    )
  return make(address, batch)
}

const open = async ({ token, url }: Endpoint, signal: () => AbortSignal | undefined) => {
  const { createClient } = await import("@libsql/client/http")
  const authToken = token === undefined ? undefined : Redacted.value(token)
  return createClient({ url, authToken, fetch: wire(signal), intMode: "number" })
}

const lacksTable = (error: unknown): boolean =>
  /no such table: (main\.)?(log|events)\b|(no such column: |no column named )(salt|digest)\b/.test(
    String((error as Error)?.message),
  )

/** What went wrong, named for what can be done about it. Only its words are kept: a driver's error may hold the request. */
const syncError = (address: string, mode: string, endpoint: Endpoint, error: unknown): SyncError => {
  const said = withoutSecrets(describe(error), endpoint)
  const status = statusOf(error)
  const fail = (reason: SyncError["reason"], message: string) =>
    new SyncError({ reason, message: `${address} ${message}` })
  if (endpoint.token === undefined && (status === 401 || status === 403)) return fail("unauthorised", tokenless)
  if (status === 401)
    return fail("unauthorised", "does not accept the token: it is wrong or has expired; get a new one")
  const forbidden =
    status === 403 ||
    /\b(SQL_WRITE_BLOCKED|SQL_READ_BLOCKED|BLOCKED|SQLITE_READONLY|SQLITE_AUTH)\b|forbidden/.test(said)
  if (forbidden && mode === "write")
    return fail("read-only", "may only be read with this token, so nothing can be pushed; get one that may write")
  if (forbidden) return fail("unauthorised", "may not be read with this token; get another")
  if (status === 429 || (status !== undefined && status >= 500 && status < 600))
    return fail("offline", `cannot answer now (HTTP ${status})`)
  if (status !== undefined)
    return fail("protocol", `answers, but not as a libSQL server does (HTTP ${status}); is the address right?`)
  const late = causes(error).find((one) => one instanceof DeadlineError)
  if (late !== undefined) return fail("offline", `did not answer within ${late.milliseconds / 1000} s`)
  if (causes(error).some((one) => /^(EPROTO$|ERR_SSL_)/.test(one.code ?? "")))
    return fail(
      "protocol",
      `does not answer with TLS (${said}); if it is a server of your own without it, try ${plainOf(endpoint.url)}`,
    )
  if (causes(error).some((one) => one instanceof RangeError))
    return fail("protocol", `gave a number above 2^53, which no log of context has. ${repairable}`)
  if (causes(error).some((one) => one instanceof NetworkFailure)) return fail("offline", `cannot be reached (${said})`)
  return fail("protocol", `refused what was asked: ${said}. ${repairable}`)
}

const tokenless =
  "wants a token, and none was given: context infra sync connect <url> reads it from its standard input, or asks for it at a terminal; beside TURSO_URL it is TURSO_AUTH_TOKEN"

const causes = (error: unknown): ReadonlyArray<any> => {
  const found: Array<unknown> = []
  for (let one = error; one !== undefined && one !== null && found.length < 5; one = (one as Error).cause)
    found.push(one)
  return found
}

const statusOf = (error: unknown): number | undefined =>
  causes(error).find((one) => typeof one.status === "number")?.status

const describe = (error: unknown): string => {
  const last = causes(error).at(-1)
  const name = last?.name === "Error" || last?.name === undefined ? "" : `${last.name}: `
  // OpenSSL's message is its stack, with a path of where it was built; its reason is what it says.
  const message = last?.reason && /:error:/.test(last?.message) ? last.reason : (last?.message ?? String(last))
  return `${name}${last?.code ? `${last.code} ` : ""}${message}`.slice(0, 300)
}

/** The same address without TLS. */
const plainOf = (url: string): string => addressOf(url).replace(/^\w+:/, "http:")
