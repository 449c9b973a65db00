/** What a log lacks of what this machine has seen of it, for people. */
import type { Loss } from "@context-engine/core/services/Audit"
import { moment } from "./units.js"

/** What is not asked for any more, once a person went on without it. */
export const givenUpInWords = ({ position, since }: Loss): string =>
  `given up: what this machine had seen of the log, to position ${position}, on ${moment(since)} UTC`
