/** A shared log whose clock is the right one of a story, in which machines have clocks that differ from it. */
import { make } from "../../src/sync/RemoteLog.js"
import { makeSequencer } from "./sequencer.js"

const clock = /strftime\('%Y-%m-%dT%H:%M:%fZ', 'now'\)/g

/** `time` gives that of the story, in milliseconds since 1970. */
export const sharedBy = (time: () => number) => {
  const { batch } = makeSequencer()
  return make("memory", (statements, mode) =>
    batch(
      statements.map((one) => ({ ...one, sql: one.sql.replace(clock, `'${new Date(time()).toISOString()}'`) })),
      mode,
    ),
  )
}
