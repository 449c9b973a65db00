/** What the commands of `sync` have in common. */
import type { SyncReport } from "@context-engine/core/services/Sync"
import { Refused } from "./usage.js"

/** Exit status 1 when commands were refused: somebody has to look at them. */
export const refused = ({ rejected }: Pick<SyncReport, "rejected">): Refused | undefined =>
  refusedOf(rejected.filter(({ outcome }) => outcome === "refused").length)

/** The same of so many. */
export const refusedOf = (count: number): Refused | undefined =>
  count === 0
    ? undefined
    : new Refused({
        message: `${count === 1 ? "a command" : `${count} commands`} of this machine could not stand beside what others did`,
        next: "context infra sync rejected",
      })
