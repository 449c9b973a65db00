/** `context infra event …` */
import type { Leaf } from "../leaf.js"
import { add } from "./event/add.js"
import { remove } from "./event/remove.js"
import { update } from "./event/update.js"

export const verbs: ReadonlyArray<Leaf> = [add, update, remove]
