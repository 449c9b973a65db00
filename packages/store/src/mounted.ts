/** Whether a file is a mount of its own, as containers have it (`docker -v <file>:<file>`). */
import { readFileSync, realpathSync } from "node:fs"
import { StorageError } from "@context-engine/core/Errors"

/**
 * Throws `StorageError` where it is: what SQLite writes beside it lies in another directory than under its other name, so that what is
 * written under one is lost under the other (https://www.sqlite.org/howtocorrupt.html, section 2.5).
 */
export const refuseMounted = (path: string): void => {
  if (!isMountPoint(realpathSync(path))) return
  const message = `${path} is a mount of its own, as containers have it: what is written last would lie beside this name, and be lost under the other; nothing was done. Have its directory mounted instead`
  throw new StorageError({ reason: "unavailable", message })
}

/** By what the system tells of its mounts, where it does (https://www.kernel.org/doc/html/latest/filesystems/proc.html, section 3.5). */
const isMountPoint = (path: string): boolean => {
  const name = path.replace(/[ \t\n\\]/g, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, "0")}`)
  const all = mounts()
  return all.includes(` ${name} `) && all.split("\n").some((line) => line.split(" ")[4] === name)
}

const mounts = (): string => {
  try {
    return readFileSync("/proc/self/mountinfo", "utf8")
  } catch {
    // Other systems have no such list.
    return ""
  }
}
