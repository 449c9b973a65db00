/** The `servers` view. */
import { entity, type Server, type ServerStatus } from "../domain/Server.js"
import type { Recorded } from "../Event.js"
import type { HostKey } from "../Remote.js"
import { type EntityRow, entityView } from "./entityView.js"
import { earlierLookOf, isAfter, type Look, lookOf } from "./looks.js"

export type ServerRow = Server &
  EntityRow & {
    readonly status: ServerStatus
    /** Why it is not online, in words. */
    readonly statusReason: string | null
    /** The last time it was reached. */
    readonly lastSeen: string | null
    readonly lastChecked: string | null
    /** Where its status is known from. */
    readonly statusLook: Look | null
    readonly hostKeys: ReadonlyArray<HostKey>
    /** Where it is `local`: the id of the key of the machine that said so, which it is local to. Older events name none. */
    readonly localKey: string | null
    /** That machine's host name. */
    readonly localMachine: string | null
  }

/** "Local" means the machine that said it, wherever the log is read. */
const saidLocal = (row: ServerRow, { data, meta }: Recorded<any>): ServerRow => {
  if (!row.local) return { ...row, localKey: null, localMachine: null }
  const said = (data.changes ?? data).local === true
  return said ? { ...row, localKey: meta.key ?? null, localMachine: meta.machine } : row
}

export const servers = entityView<"Server", Server, Omit<ServerRow, keyof Server | keyof EntityRow>>({
  name: "servers",
  version: 3,
  entity,
  stream: "server",
  unique: [["name"]],
  initial: {
    status: "unknown",
    statusReason: null,
    lastSeen: null,
    lastChecked: null,
    statusLook: null,
    hostKeys: [],
    localKey: null,
    localMachine: null,
  },
  onFields: saidLocal,
  onFact: (row, event) => {
    const { data, type } = event
    switch (type) {
      case "ServerChecked": {
        const statusLook = lookOf(event)
        if (!isAfter(event, statusLook, row.statusLook)) return row
        const { at: lastChecked } = earlierLookOf(event)
        return {
          ...row,
          statusLook,
          status: data.status,
          statusReason: data.reason,
          lastChecked,
          lastSeen: data.status === "offline" ? row.lastSeen : lastChecked,
          os: data.os ?? row.os,
          resources: data.resources ?? row.resources,
        }
      }
      case "HostKeyPinned": {
        const { server: _, ...key } = data
        const others = row.hostKeys.filter((k) => k.address !== key.address || k.algorithm !== key.algorithm)
        return { ...row, hostKeys: [...others, key] }
      }
      case "HostKeyForgotten":
        return { ...row, hostKeys: row.hostKeys.filter((key) => key.address !== data.address) }
      default:
        return row
    }
  },
})
