/** The check of whether commands can write to the log. By the rights alone: to open it for that would leave files beside it. */
import { type Check, trouble } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"
import { hasWal } from "../identify.js"
import { obstacleTo } from "../writable.js"
import { glance } from "./look.js"

export interface Options {
  /** Whether a person named the log, which then may be a copy that is only looked at. */
  readonly isNamed?: boolean
}

/** Tells nothing of what is no log, or of one that no program has worked on since it was copied. */
export const writable = (path: string, { isNamed = false }: Options = {}): Check => ({
  name: "writable",
  look: Effect.gen(function* () {
    const isLog = yield* glance(path, () => true)
    const obstacle = isLog === undefined || (isNamed && !hasWal(path)) ? undefined : obstacleTo(path)
    if (obstacle === undefined) return []
    return [trouble("writable", `no command can write to the log: ${obstacle.found}`, obstacle.fix)]
  }),
})
