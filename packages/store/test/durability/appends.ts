/** Appends to write under duress. Each tells how many events belong to it, so that a half one shows. */
import type { NewEvent, StreamAppend } from "@context-engine/core/EventLog"
import { fromParts } from "@context-engine/core/Id"
import { serverAdded, unknownEvent } from "../support/events.js"
import type { Random } from "../support/random.js"

/** A new id that no other process makes. */
export const freshId = (): string => fromParts(Date.now(), crypto.getRandomValues(new Uint8Array(10)))

/** Gives the events ids of their own, one command id, and the size of the append in `cause`. */
const asOne = (appends: ReadonlyArray<StreamAppend>): ReadonlyArray<StreamAppend> => {
  const size = appends.reduce((sum, { events }) => sum + events.length, 0)
  const meta = { actor: "ada", via: "library", machine: "test", commandId: freshId(), cause: String(size) } as const
  return appends.map((append) => ({
    ...append,
    events: append.events.map((event): NewEvent => ({ ...event, id: freshId(), meta })),
  }))
}

const added = (name: string, notes: string | null = null): NewEvent => {
  const event = serverAdded(name)
  return { ...event, data: { ...(event.data as object), notes } }
}

const stream = (server: string, events: ReadonlyArray<NewEvent>): StreamAppend => ({
  stream: `server-${server}`,
  expected: 0,
  events,
})

/** One server, one event. */
export const single = (name = freshId()): ReadonlyArray<StreamAppend> => asOne([stream(name, [added(name)])])

/** Two servers and an entry in a stream that everyone shares: three events, two rows of servers. */
export const triple = (): ReadonlyArray<StreamAppend> => {
  const [a, b] = [freshId(), freshId()]
  const shared = { stream: "moon-1", expected: "any", events: [unknownEvent()] } as const
  return asOne([stream(a, [added(a)]), stream(b, [added(b)]), shared])
}

/** Mostly single events, some of several streams, a few so large that they fill many pages. */
export const mixed = (random: Random): ReadonlyArray<StreamAppend> => {
  const kind = random.next()
  if (kind < 0.6) return single()
  if (kind < 0.8) return triple()
  const servers = Array.from({ length: 2 + random.below(kind < 0.95 ? 6 : 40) }, freshId)
  return asOne(
    servers.map((server) =>
      stream(server, [
        added(server, "n".repeat(random.below(3_000))),
        { ...added(server), type: "ServerRenamed", data: { from: server, to: `${server}-renamed` } },
      ]),
    ),
  )
}
