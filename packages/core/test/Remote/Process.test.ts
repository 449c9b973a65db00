import { spawn } from "node:child_process"
import { once } from "node:events"
import { expect, it } from "vitest"
import { attendant } from "../../src/Remote/Process.js"
import { attendantOf } from "../support/attendants.js"

it.skipIf(process.platform !== "linux")(
  "a program is gone when it has ended, also where another has its number, or nobody has asked how it ended",
  async () => {
    const program = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 1000"])
    const [said] = await once(program.stdout, "data")
    const id = attendantOf(program.pid as number)
    expect(attendant.isGone(attendant.id)).toBe(false)
    expect(attendant.isGone(id)).toBe(false)
    expect(attendant.isGone(id.replace(/\.\d+\./, ".1."))).toBe(true)
    const zombie = id.replace(/^\d+/, String(said).trim())
    while (attendant.isGone(zombie) !== true) await new Promise((resolve) => setImmediate(resolve))
    program.kill("SIGKILL")
    await once(program, "close")
    expect(attendant.isGone(id)).toBe(true)
  },
)

it.each([
  ["another container", (id: string) => id.replace("pid:[", "pid:[1")],
  ["another boot of this machine, or another of its name", (id: string) => id.replace(/(\w)-/, "$1$1-")],
  ["an early version, which said neither", (id: string) => id.split(".").slice(0, 2).join(".")],
  ["nobody", () => ""],
])("nothing is said of a program of %s", (_, of) => {
  // There is no process of that number here.
  const id = of(attendant.id.replace(/^\d+/, "4194304"))
  expect(attendant.isGone(id)).toBeUndefined()
})
