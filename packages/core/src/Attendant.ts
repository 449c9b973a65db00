/** Which running program sees a deployment to its end, and whether another one still does. A frontend provides it. */
import * as Context from "effect/Context"

export interface AttendantData {
  /** Names this run of the program, for others on its machine to look for. */
  readonly id: string
  /** Whether the program of such an id has ended; `undefined` where that cannot be told, as of one in another container. */
  readonly isGone: (id: string) => boolean | undefined
}

/** The default knows nobody: who left without a word is noticed only by the time that has passed. */
export class Attendant extends Context.Reference<Attendant>()("@context-engine/core/Attendant", {
  defaultValue: (): AttendantData => ({ id: "", isGone: () => undefined }),
}) {}
