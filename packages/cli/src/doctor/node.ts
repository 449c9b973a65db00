/** The check of Node itself. */
import { type Check, ok, trouble } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"

const minimum = 20

export const node = (version: string = process.versions.node): Check => ({
  name: "node",
  look: Effect.sync(() => {
    const about = `Node ${version} (${process.platform} ${process.arch})`
    if (Number.parseInt(version, 10) >= minimum) return [ok("node", about)]
    return [trouble("node", `${about}; ${minimum} or later is needed`, "https://nodejs.org/en/download")]
  }),
})
