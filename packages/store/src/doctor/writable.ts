/** The check of whether commands can write to the log. By the rights alone: to open it for that would leave files beside it. */
import { existsSync } from "node:fs"
import { type Check, trouble } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"
import { storageError } from "../connection.js"
import { hasWal, identify } from "../identify.js"
import { checkRoom } from "../mayWrite.js"
import { type Obstacle, obstacleTo } from "../writable.js"
import { glance } from "./look.js"

export interface Options {
  /** Whether a person named the log, which then may be a copy that is only looked at. */
  readonly isNamed?: boolean
}

/** What keeps commands from writing; nothing of what is no log, or of one that no program has worked on since it was copied. */
export const refusal = (path: string, { isNamed = false }: Options): Effect.Effect<Obstacle | undefined> =>
  Effect.map(
    glance(path, () => true),
    (isRead) => {
      if (isNamed && !(existsSync(path) && hasWal(path))) return undefined
      // On a full disk it cannot even be read: what that needs beside it cannot be made.
      return (isRead === undefined ? undefined : obstacleTo(path)) ?? (holdsLog(path) ? fullness(path) : undefined)
    },
  )

const holdsLog = (path: string): boolean => {
  try {
    return existsSync(path) && identify(path) === "log"
  } catch {
    return false
  }
}

/** A disk without room for what comes of a command: none is begun there. */
const fullness = (path: string): Obstacle | undefined => {
  try {
    checkRoom(path)
    return undefined
  } catch (error) {
    const { message } = storageError(path, error)
    return { found: message.split(";")[0] as string, fix: "make room on its disk" }
  }
}

export const writable = (path: string, options: Options = {}): Check => ({
  name: "writable",
  look: Effect.map(refusal(path, options), (obstacle) =>
    obstacle === undefined ? [] : [trouble("writable", toldOf(obstacle), obstacle.fix)],
  ),
})

export const toldOf = ({ found }: Obstacle): string => `no command can write to the log: ${found}`
