/** `context infra audit …` */
import type { Leaf } from "../leaf.js"
import { accept } from "./audit/accept.js"
import { exportLog } from "./audit/export.js"
import { importLog } from "./audit/import.js"
import { log } from "./audit/log.js"
import { replay } from "./audit/replay.js"
import { verify } from "./audit/verify.js"

export const verbs: ReadonlyArray<Leaf> = [verify, accept, log, exportLog, importLog, replay]
