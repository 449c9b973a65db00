/** Whether there is room is found by a file of which nothing stays. */
import { readdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { expect, it } from "vitest"
import { checkRoom } from "../src/room.js"
import { freshPath } from "./support/files.js"
import { addServers, inLog } from "./support/live.js"

const rooms = (path: string) => readdirSync(dirname(path)).filter((name) => name.includes(".room-"))

it("what a dead process left is cleared away, and nothing else is", async () => {
  const path = freshPath()
  await inLog(path, addServers("alpha"))
  const mine = `${path}.room-for-notes`
  writeFileSync(mine, "notes")
  writeFileSync(`${path}.room-999999999`, Buffer.alloc(512 * 1024))
  checkRoom(path)
  expect(rooms(path)).toEqual(["infra.db.room-for-notes"])
})
