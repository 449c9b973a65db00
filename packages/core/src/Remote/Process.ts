/** This process as an attendant of deployments: found again by its number and the time it began. */
import { readFileSync } from "node:fs"
import type { AttendantData } from "../Attendant.js"

/** What tells a process from a later one of the same number, where the system says so. */
const beginning = (pid: number): string => {
  try {
    // Field 22 of /proc/<pid>/stat, counted after the name, which may hold anything.
    return (
      readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ")[19] ?? ""
    )
  } catch {
    return ""
  }
}

const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

export const attendant: AttendantData = {
  id: `${process.pid}.${beginning(process.pid)}`,
  isGone: (id) => {
    const [pid, began] = id.split(".")
    return !/^\d+$/.test(pid ?? "") || !exists(Number(pid)) || beginning(Number(pid)) !== began
  },
}
