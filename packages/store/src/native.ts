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
export const assertOneNative = (): void => {
  const copies = Object.keys(createRequire(import.meta.url).cache).filter((file) => native.test(file))
  if (copies.length < 2) return
  throw new StorageError({
    reason: "unavailable",
    message: `two copies of libSQL are loaded, which could lose what is written: ${copies.join(" and ")}; install one version only (npm ls libsql)`,
  })
}

/** `@libsql/linux-x64-gnu/index.node`: a file name stands for one copy, since Node has resolved its links. */
const native = /[\\/]@libsql[\\/][^\\/]+[\\/][^\\/]+\.node$/
