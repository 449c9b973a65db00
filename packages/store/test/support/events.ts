/** Events to append, made by hand: the log takes any, whether this version knows their type or not. */
import type { NewEvent } from "@context-engine/core/EventLog"

let made = 0

/** A server's first event, under an id that nothing else has. */
export const serverAdded = (name: string, id = uuid()): NewEvent => ({
  id,
  type: "ServerAdded",
  schema: 1,
  data: { name, hostname: null, ipAddresses: [], role: null, sshConfig: null, local: false, os: null, resources: null, tags: [], notes: null }, // biome-ignore format: one row
  meta: { actor: "ada", via: "library", machine: "test", commandId: uuid() },
  occurredAt: "2026-01-01T00:00:00.000Z",
})

/** An event of a type that no version has known. */
export const unknownEvent = (): NewEvent => ({
  ...serverAdded("x"),
  type: "MoonLanded",
  data: { where: "tranquillity" },
})

export const uuid = (): string => {
  made += 1
  return `01900000-0000-7000-8000-${made.toString(16).padStart(12, "0")}`
}
