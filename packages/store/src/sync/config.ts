/** Where the shared log is and with what token, for frontends to read: from the environment, else from a file only its owner reads. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { InvalidInput } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Endpoint } from "./http.js"

/** `TURSO_URL` and `TURSO_AUTH_TOKEN` come first; `undefined` where neither they nor the file name anything. */
export const readEndpoint = (
  env: Readonly<Record<string, string | undefined>>,
  file: string,
): Effect.Effect<Endpoint | undefined, InvalidInput> =>
  Effect.suspend(() => {
    const url = env.TURSO_URL?.trim()
    if (url) return endpointOf("TURSO_URL", url, env.TURSO_AUTH_TOKEN?.trim())
    return Effect.flatMap(readSaved(file), (saved) =>
      saved === undefined ? Effect.succeed(undefined) : endpointOf(file, saved.url, saved.token),
    )
  })

/** The endpoint of a URL that a person typed. A token in it would be seen where addresses are shown. */
export const endpointOf = (
  field: string,
  url: string,
  token: string | undefined,
): Effect.Effect<Endpoint, InvalidInput> => {
  const refuse = (reason: string) => new InvalidInput({ field, reason })
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    return refuse("is not a URL; it looks like libsql://name-org.turso.io, https://host or http://host:8080")
  }
  if (!["libsql:", "https:", "http:"].includes(parsed.protocol))
    return refuse("must begin with libsql:, https: or http:")
  if (parsed.username !== "" || parsed.password !== "" || parsed.searchParams.has("authToken")) {
    return refuse("must not hold a token: that goes into TURSO_AUTH_TOKEN, or to the standard input of sync connect")
  }
  return Effect.succeed(token ? { url, token: Redacted.make(token) } : { url })
}

/** Keeps an endpoint in a file that only its owner can read. It appears whole or not at all. */
export const saveEndpoint = (file: string, { token, url }: Endpoint): Effect.Effect<void, InvalidInput> =>
  attempt(file, "cannot be written", () => {
    const draft = `${file}.${process.pid}`
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    try {
      const saved = { url, ...(token === undefined ? {} : { token: Redacted.value(token) }) }
      writeFileSync(draft, `${JSON.stringify(saved, null, 2)}\n`, { mode: 0o600, flag: "wx" })
      chmodSync(draft, 0o600)
      renameSync(draft, file)
    } finally {
      rmSync(draft, { force: true })
    }
  })

/** Forgets a kept endpoint. */
export const removeEndpoint = (file: string): Effect.Effect<void, InvalidInput> =>
  attempt(file, "cannot be removed", () => rmSync(file, { force: true }))

const readSaved = (
  file: string,
): Effect.Effect<{ readonly url: string; readonly token?: string } | undefined, InvalidInput> =>
  Effect.flatMap(
    attempt(file, "cannot be read", () => {
      const found = statSync(file, { throwIfNoEntry: false })
      return found === undefined ? undefined : { mode: found.mode & 0o777, text: readFileSync(file, "utf8") }
    }),
    (found) => {
      if (found === undefined) return Effect.succeed(undefined)
      if ((found.mode & 0o077) !== 0) {
        return new InvalidInput({
          field: file,
          reason: `can be read by others: chmod 600 ${file}, and get a new token`,
        })
      }
      return attempt(file, "is not what sync connect writes", () => {
        const { token, url } = JSON.parse(found.text)
        if (typeof url !== "string" || !["string", "undefined"].includes(typeof token))
          throw new TypeError("url or token")
        return { url, token }
      })
    },
  )

/** The words of an error may hold what was read: only the system's own code is kept. */
const attempt = <A>(file: string, what: string, body: () => A): Effect.Effect<A, InvalidInput> =>
  Effect.try({
    try: body,
    catch: (error) => {
      const code = (error as NodeJS.ErrnoException).code
      return new InvalidInput({ field: file, reason: code === undefined ? what : `${what} (${code})` })
    },
  })
