/** What an audit has to know of a file before it walks along the log. */
import type { Connection } from "./connection.js"
import { type Decided, readDecided } from "./trust/decided.js"

/** What this machine knows of its log beside the events themselves. */
export interface Setting {
  readonly decided: Decided
  /** What is kept of inert events: their positions, with the reason. `undefined` where nothing is kept. */
  readonly inert: ReadonlyMap<number, string> | undefined
  /** Up to here the log is shared; what follows is this machine's own, and waits. */
  readonly confirmed: number | undefined
  /** The moment that the file shows, where it is a replay of a log. */
  readonly replayed: string | null
}

export const alone: Setting = { decided: new Map(), inert: undefined, confirmed: undefined, replayed: null }

/** What the walk has to know of the file. */
export const readSetting = (connection: Connection): Setting => {
  const [logId, position, recorded] = connection.prepare("SELECT log_id, position, recorded FROM sync").get()
  return {
    decided: readDecided(connection),
    inert: new Map(connection.prepare("SELECT position, reason FROM inert").all() as ReadonlyArray<[number, string]>),
    // What waited when the log was disconnected goes on to wait.
    confirmed: logId !== null ? position : recorded > 0 ? recorded : undefined,
    replayed: connection.prepare("SELECT moment FROM replayed").get()?.[0] ?? null,
  }
}
