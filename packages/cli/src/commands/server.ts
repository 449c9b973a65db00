/** `context infra server …` */
import type { Leaf } from "../leaf.js"
import { add } from "./server/add.js"
import { importServers } from "./server/import.js"
import { list } from "./server/list.js"
import { remove } from "./server/remove.js"
import { rename } from "./server/rename.js"
import { run } from "./server/run.js"
import { show } from "./server/show.js"
import { ssh } from "./server/ssh.js"
import { status } from "./server/status.js"
import { trust } from "./server/trust.js"
import { update } from "./server/update.js"

export const verbs: ReadonlyArray<Leaf> = [
  add,
  list,
  show,
  update,
  rename,
  remove,
  status,
  ssh,
  run,
  trust,
  importServers,
]
