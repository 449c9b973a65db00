/** Whether the shared log may be written to, found out without writing anything. */
import * as Effect from "effect/Effect"
import type { EventRow } from "../record.js"
import type { RemoteLog } from "./RemoteLog.js"

/** An exchange that asks to write, and can write nothing: no log has that name, nor ends there. */
export const touch = (remote: RemoteLog["Type"]) => {
  const none: EventRow = [0, "", "", 0, "", 0, "", "", "", "", "", null, null, null]
  const sent = Date.now()
  const exchange = { from: { position: -1, hash: "" }, logId: "", push: [none], keepTimes: false, limit: 0 }
  return Effect.map(remote.exchange(exchange), (answer) => ({ answer, sent, received: Date.now() }))
}
