/** Other programs on this machine as attendants of deployments. */
import { readFileSync } from "node:fs"
import { attendant } from "../../src/Remote/Process.js"

/** What the program of a number, which runs now, would be called. */
export const attendantOf = (pid: number): string => {
  const began = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ")[19]
  return [pid, began, ...attendant.id.split(".").slice(2)].join(".")
}
