/** `context infra machine …` */
import type { Leaf } from "../leaf.js"
import { acknowledge } from "./machine/acknowledge.js"
import { add } from "./machine/add.js"
import { approve } from "./machine/approve.js"
import { list } from "./machine/list.js"
import { rename } from "./machine/rename.js"
import { revoke } from "./machine/revoke.js"
import { root } from "./machine/root.js"
import { trust } from "./machine/trust.js"

export const verbs: ReadonlyArray<Leaf> = [list, approve, revoke, rename, add, root, trust, acknowledge]
