/** `context infra secret …` */
import type { Leaf } from "../leaf.js"
import { add } from "./secret/add.js"
import { list } from "./secret/list.js"
import { remove } from "./secret/remove.js"
import { rotated } from "./secret/rotated.js"
import { update } from "./secret/update.js"

export const verbs: ReadonlyArray<Leaf> = [add, list, update, rotated, remove]
