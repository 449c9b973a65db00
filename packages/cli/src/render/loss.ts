/** What a log lacks of what this machine has seen of it, for people. */
import type { Loss } from "@context-engine/core/services/Audit"
import { moment } from "./units.js"

/** What is not asked for any more, once a person went on without it; and who may still have it. */
export const givenUpInWords = ({ position, since }: Loss, shared: boolean): ReadonlyArray<string> => [
  `given up: what this machine had seen of the log, to position ${position}${since === null ? "" : `, on ${moment(since)} UTC`}`,
  ...(shared ? [broughtBack] : []),
]

/** The log is another by a person's word, and what this machine remembers could not be made to follow. */
export const notFollowed = (why: string): string =>
  `what this machine remembers of the log could not be written (${why.split(";")[0]}): what the backup lacks is told as missing until context infra audit accept`

/** A log that went back, and is shared, is not lost: the others have it. */
export const broughtBack = "what the shared log has of it comes back with context infra sync now"
