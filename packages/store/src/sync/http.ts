/** Batches over HTTP, to Turso or a libSQL server of one's own. The token goes there and nowhere else. */
import { SyncError } from "@context-engine/core/Errors"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Rows } from "./protocol.js"
import { type Batch, make, type RemoteLog } from "./RemoteLog.js"

/** Where the shared log is: `libsql:`, `https:` or `http:`. */
export interface Endpoint {
  readonly url: string
  readonly token?: Redacted.Redacted
}

export interface Options {
  /** How long one answer may take. Default 30 seconds. */
  readonly deadline?: Duration.DurationInput
}

/** The address without what may be secret in it. */
export const addressOf = (url: string): string => {
  try {
    const parsed = new URL(url)
    return `${parsed.protocol}//${parsed.host}${parsed.pathname === "/" ? "" : parsed.pathname}`
  } catch {
    return "(an address that cannot be read)"
  }
}

/** The shared log at an endpoint. The client is loaded when it is first needed. */
export const remoteLog = (endpoint: Endpoint, options: Options = {}): RemoteLog["Type"] => {
  const address = addressOf(endpoint.url)
  const deadline = Duration.toMillis(options.deadline ?? "30 seconds")
  // One batch at a time: who gives up on it ends its request, too.
  const given: { signal: AbortSignal | undefined } = { signal: undefined }
  const connect = Effect.runSync(Effect.cached(open(endpoint, address, deadline, given)))
  const batch: Batch = (statements, mode) =>
    Effect.flatMap(connect, (client) =>
      Effect.tryPromise({
        try: async (signal) => {
          given.signal = signal
          const results = await client.batch(
            statements.map(({ args, sql }) => ({ sql, args: [...args] })),
            mode,
          )
          return results.map((result) => result.rows.map((row) => Array.from(row as any)) as Rows)
        },
        catch: (error) => error,
      }).pipe(
        Effect.catchAll((error) =>
          lacksTable(error) ? Effect.succeed(null) : Effect.fail(syncError(address, mode, deadline, endpoint, error)),
        ),
      ),
    )
  return make(address, batch)
}

const open = (
  endpoint: Endpoint,
  address: string,
  deadline: number,
  given: { readonly signal: AbortSignal | undefined },
) =>
  Effect.tryPromise({
    try: async () => {
      const { createClient } = await import("@libsql/client/http")
      const withDeadline = (request: Request) => {
        const signals = [AbortSignal.timeout(deadline), ...(given.signal === undefined ? [] : [given.signal])]
        return fetch(request, { signal: AbortSignal.any(signals) })
      }
      const authToken = endpoint.token === undefined ? undefined : Redacted.value(endpoint.token)
      return createClient({ url: endpoint.url, authToken, fetch: withDeadline, intMode: "number" })
    },
    catch: (error) => syncError(address, "read", deadline, endpoint, error),
  })

const lacksTable = (error: unknown): boolean =>
  /no such table: (main\.)?(log|events)\b|(no such column: |no column named )(salt|digest)\b/.test(
    String((error as Error)?.message),
  )

/** What went wrong, named for what can be done about it. Only its words are kept: a driver's error may hold the request. */
const syncError = (address: string, mode: string, deadline: number, endpoint: Endpoint, error: unknown): SyncError => {
  const said = withoutSecrets(describe(error), endpoint)
  const status = statusOf(error)
  const fail = (reason: SyncError["reason"], message: string) =>
    new SyncError({ reason, message: `${address} ${message}` })
  if (status === 401)
    return fail("unauthorised", "does not accept the token: it is wrong or has expired; get a new one")
  const forbidden =
    status === 403 ||
    /\b(SQL_WRITE_BLOCKED|SQL_READ_BLOCKED|BLOCKED|SQLITE_READONLY|SQLITE_AUTH)\b|forbidden/.test(said)
  if (forbidden && mode === "write")
    return fail("read-only", "may only be read with this token, so nothing can be pushed; get one that may write")
  if (forbidden) return fail("unauthorised", "may not be read with this token; get another")
  if (status === 429 || (status !== undefined && status >= 500))
    return fail("offline", `cannot answer now (HTTP ${status}); it is tried again`)
  if (status !== undefined)
    return fail("protocol", `answers, but not as a libSQL server does (HTTP ${status}); is the address right?`)
  if (/TimeoutError|aborted due to timeout/.test(said))
    return fail("offline", `did not answer within ${deadline / 1000} s; it is tried again`)
  if (isNetwork(error)) return fail("offline", `cannot be reached (${said}); it is tried again`)
  return fail("protocol", `refused what was asked: ${said}`)
}

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
  return `${name}${last?.code ? `${last.code} ` : ""}${last?.message ?? String(last)}`.slice(0, 300)
}

/** A failure on the way: `fetch` says so by a TypeError, sockets by an errno, bodies that end early by a syntax error. */
const isNetwork = (error: unknown): boolean =>
  causes(error).some(
    (one) =>
      one instanceof TypeError ||
      one instanceof SyntaxError ||
      one.name === "AbortError" ||
      /^(E[A-Z]+|UND_ERR_\w+|HRANA_WEBSOCKET_ERROR|HRANA_CLOSED_ERROR)$/.test(one.code ?? ""),
  )

/** A text without the endpoint's token, or anything that looks like one. */
export const withoutSecrets = (text: string, { token, url }: Endpoint): string => {
  const secrets = [token && Redacted.value(token), password(url)].filter((one): one is string => Boolean(one))
  const without = secrets.reduce((rest, secret) => rest.replaceAll(secret, "•••"), text)
  return without.replace(/eyJ[\w-]*\.[\w-]*\.[\w-]*/g, "•••").replace(/authToken=[^&\s"']*/g, "authToken=•••")
}

const password = (url: string): string | undefined => {
  try {
    const { password, searchParams } = new URL(url)
    return password || searchParams.get("authToken") || undefined
  } catch {
    return undefined
  }
}
