/** Where the shared log is and with what token, for frontends to read: from the environment, else from a file only its owner reads. */
import { readFileSync, rmSync, statSync } from "node:fs"
import { InvalidInput } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { writeWhole } from "../files.js"
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

/** Keeps an endpoint in a file that only its owner can read. It appears whole or not at all, and replaces none but such a file. */
export const saveEndpoint = (file: string, { token, url }: Endpoint): Effect.Effect<void, InvalidInput> =>
  Effect.zipRight(
    refuseUnlessOurs(file),
    attempt(file, "cannot be written", () => {
      const saved = { url, ...(token === undefined ? {} : { token: Redacted.value(token) }) }
      writeWhole(file, `${JSON.stringify(saved, null, 2)}\n`)
    }),
  )

/** Forgets a kept endpoint. */
export const removeEndpoint = (file: string): Effect.Effect<void, InvalidInput> =>
  Effect.zipRight(
    refuseUnlessOurs(file),
    attempt(file, "cannot be removed", () => rmSync(file, { force: true })),
  )

/** What is neither an endpoint nor nothing is somebody else's: a device, a pipe, a file of another program. */
const refuseUnlessOurs = (file: string): Effect.Effect<void, InvalidInput> =>
  Effect.flatMap(
    attempt(file, "cannot be read", () => isOurs(file)),
    (ours) =>
      ours
        ? Effect.void
        : new InvalidInput({
            field: file,
            reason:
              "is not what sync connect writes, and is left as it is; move it away, or name another with CONTEXT_SYNC_FILE",
          }),
  )

const isOurs = (file: string): boolean => {
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) return true
  if (!found.isFile()) return false
  try {
    return typeof JSON.parse(readFileSync(file, "utf8"))?.url === "string"
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

const readSaved = (
  file: string,
): Effect.Effect<{ readonly url: string; readonly token?: string } | undefined, InvalidInput> =>
  Effect.flatMap(
    attempt(file, "cannot be read", () => {
      const found = statSync(file, { throwIfNoEntry: false })
      if (found?.isFile() === false) return { mode: 0, text: "" }
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
