/** The check of whether commands can write to the log, by what can be seen without opening it: that would leave files beside it. */
import { existsSync } from "node:fs"
import type { Obstacle } from "@context-engine/core/EventLog"
import { unwritable } from "@context-engine/core/services/Alerts"
import { type Check, trouble } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"
import { hasWal, identify } from "../identify.js"
import { obstacleTo } from "../obstacle.js"
import { foundFull } from "../room.js"
import { glance } from "./look.js"

export interface Options {
  /** Whether a person named the log, which then may be a copy that is only looked at. */
  readonly isNamed?: boolean
}

export const writable = (path: string, options: Options = {}): Check => ({
  name: "writable",
  look: Effect.map(obstacleOf(path, options), (obstacle) =>
    obstacle === undefined ? [] : [trouble("writable", unwritable(obstacle), obstacle.fix)],
  ),
})

/** What keeps commands from writing; nothing of what is no log, or of one that no program has worked on since it was copied. */
const obstacleOf = (path: string, { isNamed = false }: Options): Effect.Effect<Obstacle | undefined> =>
  Effect.map(
    glance(path, () => true),
    (isRead) => {
      if (!holdsLog(path) || (isNamed && !hasWal(path))) return undefined
      // On a full disk it cannot even be read: what that needs beside it cannot be made.
      return (isRead === undefined ? undefined : obstacleTo(path)) ?? foundFull(path)
    },
  )

const holdsLog = (path: string): boolean => {
  try {
    return existsSync(path) && ["log", "beginning"].includes(identify(path))
  } catch {
    return false
  }
}
