/** Who is asking, and through which door. A frontend provides it; the default says only that nobody did. */
import * as Context from "effect/Context"
import type { Meta } from "./Event.js"

export interface OriginData {
  /** A person or program: `ada`, `ci`. */
  readonly actor: string
  readonly via: Meta["via"]
  /** The machine the command was given on. */
  readonly machine: string
}

/** The name of a machine that nobody said. */
export const nobody = "unknown"

export class Origin extends Context.Reference<Origin>()("@context-engine/core/Origin", {
  defaultValue: (): OriginData => ({ actor: "unknown", via: "library", machine: nobody }),
}) {}
