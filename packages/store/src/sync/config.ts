/**
 * Where the shared log of a log is and with what token, for frontends to read: from the environment, else from a file that only
 * its owner reads. A connection belongs to one log: another file is alone until it is connected itself.
 */
import { readFileSync, realpathSync, rmSync, statSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { InvalidInput } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { writeWhole } from "../files.js"
import { obstacleAbove, unreadable } from "../obstacle.js"
import { setting } from "../setting.js"
import { type Endpoint, endpointOf } from "./endpoint.js"

type Env = Readonly<Record<string, string | undefined>>

/** Whose connection it is: the log's file, and the one that is used where none is named. Both are real paths. */
export interface Owner {
  readonly path: string
  readonly defaultPath: string
}

/** The owner of a connection, from paths as a person writes them. Links are followed; the files need not be there yet. */
export const ownerOf = (path: string, defaultPath: string): Owner => ({
  path: realPath(path),
  defaultPath: realPath(defaultPath),
})

/**
 * `TURSO_URL` and `TURSO_AUTH_TOKEN` come first, for the log that is used where none is named, and for no other.
 * `undefined` where neither they nor the file name anything.
 */
export const readEndpoint = (env: Env, file: string, owner: Owner): Effect.Effect<Endpoint | undefined, InvalidInput> =>
  Effect.suspend(() => {
    const url = fromEnvironment(env, owner)
    if (url !== undefined) {
      const insecure = setting(env, "CONTEXT_SYNC_INSECURE") === "1"
      return endpointOf("TURSO_URL", url, setting(env, "TURSO_AUTH_TOKEN"), { insecure })
    }
    return Effect.flatMap(readSaved(file, owner), (saved) => {
      const one = saved.get(owner.path)
      // Whether its token may go there unencrypted was asked when it was kept.
      return one === undefined ? Effect.succeed(undefined) : endpointOf(file, one.url, one.token, { insecure: true })
    })
  })

/** Whether anything says that this log is shared; what is wrong with that is told by who reads it. */
export const isConnected = (env: Env, file: string, owner: Owner): boolean => {
  if (fromEnvironment(env, owner) !== undefined) return true
  const saved = Effect.runSync(Effect.either(readSaved(file, owner)))
  return saved._tag === "Right" ? saved.right.has(owner.path) : owner.path === owner.defaultPath
}

/** Keeps the endpoint of a log in a file that only its owner can read. It appears whole or not at all. */
export const saveEndpoint = (file: string, owner: Owner, { token, url }: Endpoint): Effect.Effect<void, InvalidInput> =>
  Effect.flatMap(readSaved(file, owner), (saved) => {
    const one = { url, ...(token === undefined ? {} : { token: Redacted.value(token) }) }
    return write(file, new Map([...saved, [owner.path, one]]))
  })

/** Forgets the kept endpoint of a log, and of no other. */
export const removeEndpoint = (file: string, owner: Owner): Effect.Effect<void, InvalidInput> =>
  // What cannot be read cannot be kept either: the file goes, with the token in it.
  Effect.flatMap(
    Effect.orElseSucceed(readSaved(file, owner), () => new Map<string, Saved>()),
    (saved) => {
      const left = new Map([...saved].filter(([path]) => path !== owner.path))
      if (left.size > 0) return write(file, left)
      return Effect.zipRight(
        refuseUnlessOurs(file),
        attempt(file, "cannot be removed", () => rmSync(file, { force: true })),
      )
    },
  )

const fromEnvironment = (env: Env, { defaultPath, path }: Owner): string | undefined =>
  path === defaultPath ? setting(env, "TURSO_URL") : undefined

/** Of a file that is not there yet its directory is followed. */
const realPath = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    const absolute = resolve(path)
    const parent = dirname(absolute)
    return parent === absolute ? absolute : join(realPath(parent), basename(absolute))
  }
}

interface Saved {
  readonly url: string
  readonly token?: string
}

/** What the file holds, by the path of the log. Its first form held one, which belongs to the log that nobody had to name. */
const readSaved = (file: string, { defaultPath }: Owner): Effect.Effect<ReadonlyMap<string, Saved>, InvalidInput> =>
  Effect.flatMap(readPrivate(file), (text) => {
    if (text === undefined) return Effect.succeed(new Map())
    return attempt(file, "is not what sync connect writes", () => {
      const found = JSON.parse(text)
      if ("url" in found) return new Map([[defaultPath, savedOf(found)]])
      if (found.version !== 2) throw new TypeError("version")
      return new Map(Object.entries(found.logs).map(([path, one]) => [path, savedOf(one as Partial<Saved>)]))
    })
  })

const savedOf = ({ token, url }: Partial<Saved>): Saved => {
  if (typeof url !== "string" || !["string", "undefined"].includes(typeof token)) throw new TypeError("url or token")
  return { url, ...(token === undefined ? {} : { token }) }
}

const unread = "cannot be read"

const readPrivate = (file: string): Effect.Effect<string | undefined, InvalidInput> =>
  Effect.flatMap(
    attempt(file, unread, () => {
      const found = statSync(file, { throwIfNoEntry: false })
      // A pipe would be waited for, without end.
      if (found?.isFile() === false) throw new TypeError("no file")
      return found === undefined ? undefined : { mode: found.mode & 0o777, text: readFileSync(file, "utf8") }
    }),
    (found) => {
      if (found === undefined || (found.mode & 0o077) === 0) return Effect.succeed(found?.text)
      const reason = `can be read by others: chmod 600 ${file}, and get a new token`
      return new InvalidInput({ field: file, reason })
    },
  )

const write = (file: string, logs: ReadonlyMap<string, Saved>): Effect.Effect<void, InvalidInput> =>
  Effect.zipRight(
    refuseUnlessOurs(file),
    attempt(file, "cannot be written", () => {
      writeWhole(file, `${JSON.stringify({ version: 2, logs: Object.fromEntries(logs) }, null, 2)}\n`)
    }),
  )

/** What is neither such a file nor nothing is somebody else's: a device, a pipe, a file of another program. */
const refuseUnlessOurs = (file: string): Effect.Effect<void, InvalidInput> =>
  Effect.flatMap(
    attempt(file, unread, () => isOurs(file)),
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
    const kept = JSON.parse(readFileSync(file, "utf8"))
    return typeof kept?.url === "string" || typeof kept?.logs === "object"
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** The words of an error may hold what was read: only the system's own code is kept, and what mends it where that is known. */
const attempt = <A>(file: string, what: string, body: () => A): Effect.Effect<A, InvalidInput> =>
  Effect.try({
    try: body,
    catch: (error) => {
      const code = (error as NodeJS.ErrnoException).code
      if (code === undefined) return new InvalidInput({ field: file, reason: what })
      const obstacle = unreadable(file) ?? (what === unread ? undefined : obstacleAbove(dirname(file)))
      const mended = obstacle === undefined ? "" : `: ${obstacle.found}; ${obstacle.fix}`
      return new InvalidInput({ field: file, reason: `${what} (${code})${mended}` })
    },
  })
