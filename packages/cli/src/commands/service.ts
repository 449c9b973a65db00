/** `context infra service …` */
import type { Leaf } from "../leaf.js"
import { add } from "./service/add.js"
import { restart, start, stop } from "./service/lifecycle.js"
import { list } from "./service/list.js"
import { logs } from "./service/logs.js"
import { remove } from "./service/remove.js"
import { rename } from "./service/rename.js"
import { show } from "./service/show.js"
import { status } from "./service/status.js"
import { update } from "./service/update.js"

export const verbs: ReadonlyArray<Leaf> = [add, list, show, update, rename, remove, status, logs, restart, stop, start]
