/** `context infra route …` */
import type { Leaf } from "../leaf.js"
import { add } from "./route/add.js"
import { check } from "./route/check.js"
import { list } from "./route/list.js"
import { remove } from "./route/remove.js"
import { show } from "./route/show.js"
import { update } from "./route/update.js"

export const verbs: ReadonlyArray<Leaf> = [add, list, show, update, remove, check]
