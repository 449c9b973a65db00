/**
 * Whether this process holds one native libSQL. With two of them, files that both open lose what was acknowledged: a process's
 * POSIX locks do not exclude each other (https://www.sqlite.org/howtocorrupt.html, section 2.2.1).
 */
import { createRequire } from "node:module"
import { StorageError } from "@context-engine/core/Errors"

/**
 * Throws `StorageError` "unavailable" if a second copy is loaded. It looks at the modules that are there, and loads none:
 * call it when ours is, before anything is written.
 */
export const assertOneNative = (loaded: object = createRequire(import.meta.url).cache): void => {
  // `…/@libsql/linux-x64-gnu/index.node`. A name stands for one copy: Node has resolved its links.
  const copies = Object.keys(loaded).filter((file) => file.endsWith(".node") && file.includes("@libsql"))
  if (copies.length < 2) return
  throw new StorageError({
    reason: "unavailable",
    message: `two copies of libSQL are loaded, which could lose what is written: ${copies.join(" and ")}; install one version only (npm ls libsql)`,
  })
}
