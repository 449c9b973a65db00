/** The check of whether commands can write to the log. By the rights alone: to open it for that would leave files beside it. */
import { type Check, trouble } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"
import { hasWal } from "../identify.js"
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
    (isLog) => (isLog === undefined || (isNamed && !hasWal(path)) ? undefined : obstacleTo(path)),
  )

export const writable = (path: string, options: Options = {}): Check => ({
  name: "writable",
  look: Effect.map(refusal(path, options), (obstacle) =>
    obstacle === undefined ? [] : [trouble("writable", toldOf(obstacle), obstacle.fix)],
  ),
})

export const toldOf = ({ found }: Obstacle): string => `no command can write to the log: ${found}`
