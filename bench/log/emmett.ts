/** @event-driven-io/emmett-sqlite, in a folder of its own: for comparison only, never a dependency. */
import type { StreamAppend } from "@context-engine/core/EventLog"

export const makeEmmett = async (
  _path: string,
): Promise<{ append: (one: StreamAppend) => Promise<void> } | undefined> => undefined
