/** The home directory of whoever runs this program. */
import { homedir, userInfo } from "node:os"
import { isAbsolute, join } from "node:path"

/**
 * What `HOME` says; where that is empty or no absolute path, what the user database says. Else files would be kept in whatever
 * directory a command is given in, and the next command, given elsewhere, would know nothing of them.
 */
export const home = (): string => {
  const named = homedir()
  return isAbsolute(named) ? named : userInfo().homedir
}

/** A path as a person writes it, whose `~` no shell has replaced. */
export const fromHome = (path: string): string => (path.startsWith("~/") ? join(home(), path.slice(2)) : path)
