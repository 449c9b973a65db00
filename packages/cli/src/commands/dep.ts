/** `context infra dep …` */
import type { Leaf } from "../leaf.js"
import { add } from "./dep/add.js"
import { list } from "./dep/list.js"
import { remove } from "./dep/remove.js"
import { update } from "./dep/update.js"

export const verbs: ReadonlyArray<Leaf> = [add, list, update, remove]
