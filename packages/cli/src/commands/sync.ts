/** `context infra sync …` */
import type { Leaf } from "../leaf.js"
import { connect } from "./sync/connect.js"
import { disconnect } from "./sync/disconnect.js"
import { heal } from "./sync/heal.js"
import { invite } from "./sync/invite.js"
import { join } from "./sync/join.js"
import { log } from "./sync/log.js"
import { now } from "./sync/now.js"
import { rejected } from "./sync/rejected.js"
import { status } from "./sync/status.js"
import { watch } from "./sync/watch.js"

export const verbs: ReadonlyArray<Leaf> = [now, watch, status, log, rejected, connect, invite, heal, join, disconnect]
