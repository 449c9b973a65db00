/**
 * This machine's key, which signs what it appends: `CONTEXT_KEY` is the path of its file, `off` for none, or the key itself as one
 * line, as `machine add` prints it for a job. What it holds may be a secret that was put there wrongly, so it is never shown.
 */

import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fromHome } from "@context-engine/core/Remote/Home"
import { setting } from "@context-engine/store/setting"
import * as Effect from "effect/Effect"
import { Refused } from "../usage.js"
import { configDirectory } from "./places.js"

const prefix = "context-key-"

/** Takes a key out of the environment: what this program starts, from deploy commands to `ssh`, has no use for it. */
const takeKeyLine = (): string | undefined => {
  const named = setting(process.env, "CONTEXT_KEY")
  if (named === undefined || !holdsKey(named)) return undefined
  delete process.env.CONTEXT_KEY
  return named
}

/** Whether it is a key, or has one in it; a file that is there may be called anything. */
const holdsKey = (named: string): boolean => named.includes(prefix) && !existsSync(fromHome(named))

const keyLine = takeKeyLine()

const named = (): string | undefined => keyLine ?? setting(process.env, "CONTEXT_KEY")

/** What signs: the path of a file, or the key itself; nothing where that is off. Whether it can be either, `checkKey` says. */
export const machineKey = (): { readonly keyPath?: string } => {
  const found = named()
  if (found === "off") return {}
  return { keyPath: found === undefined ? join(configDirectory(), "machine.key") : fromHome(found) }
}

/** The environment for a process that works on the log on behalf of this one, and so signs. */
export const signingEnvironment = (): NodeJS.ProcessEnv =>
  keyLine === undefined ? process.env : { ...process.env, CONTEXT_KEY: keyLine }

/** Refuses what is no key, and no place for one either: a file named after a secret would be made there. */
export const checkKey: Effect.Effect<void, Refused> = Effect.suspend(() => {
  const found = named()
  if (found === undefined || found === "off") return Effect.void
  if (keyLine !== undefined) return checkLine(keyLine)
  const path = fromHome(found)
  if (existsSync(path)) return Effect.void
  if (/[\r\n]/.test(path) || !/[/\\]/.test(path))
    return refuse("CONTEXT_KEY holds no key that context infra machine add has made, and no path of a key file")
  return existsSync(dirname(path)) ? Effect.void : refuseUnlessKept(path)
})

/** What this user may not look at is told, with what mends it, where it is read. */
const refuseUnlessKept = (path: string): Effect.Effect<void, Refused> =>
  Effect.flatMap(
    Effect.promise(() => import("@context-engine/store/obstacle")),
    ({ unreadable }) =>
      unreadable(path) === undefined
        ? refuse("CONTEXT_KEY names a file in a directory that is not there")
        : Effect.void,
  )

const checkLine = (line: string): Effect.Effect<void, Refused> =>
  Effect.flatMap(
    Effect.promise(() => import("@context-engine/store/trust/keys")),
    ({ keyOfLine }) =>
      keyOfLine(line) === undefined
        ? new Refused({
            message: "CONTEXT_KEY holds a damaged key",
            next: `take the line anew, whole and with nothing beside it, from context infra machine add <name>`,
          })
        : Effect.void,
  )

const refuse = (message: string) =>
  new Refused({
    message,
    next: "give the key as one line, the path of a key file (./machine.key), off, or nothing for the file in ~/.config/context",
  })
