/** This process as an attendant of deployments: found again by its number and the time it began. */
import { readFileSync, readlinkSync } from "node:fs"
import type { AttendantData } from "../Attendant.js"

/** What tells a process from a later one of the same number, where the system says so. */
const beginning = (pid: number): string => {
  // After the name, which may hold anything: field 3 of /proc/<pid>/stat is its state, and 22 when it began.
  const fields = orNothing(() => readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "")).split(" ")
  return fields[0] === "Z" || fields[0] === "X" ? "over" : (fields[19] ?? "")
}

const orNothing = (look: () => string): string => {
  try {
    return look().trim()
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

/** Where the number of a process means that process: a running system, and in it a container. */
const boot = orNothing(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8"))
const container = orNothing(() => readlinkSync("/proc/self/ns/pid"))

export const attendant: AttendantData = {
  id: [process.pid, beginning(process.pid), boot, container].join("."),
  isGone: (id) => {
    const [pid = "", began = "", ...place] = id.split(".")
    if (!/^\d+$/.test(pid) || began === "" || place.join() !== [boot, container].join() || place.includes(""))
      return undefined
    if (!exists(Number(pid))) return true
    const now = beginning(Number(pid))
    // Somebody else's may be hidden from this user.
    return now === "" ? undefined : now !== began
  },
}
