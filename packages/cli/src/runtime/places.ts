/** Where this program keeps its own files. */
import { isAbsolute, join } from "node:path"
import { home } from "@context-engine/core/Remote/Home"

/** What it keeps of this machine: the key, addresses, what was seen of logs. */
export const configDirectory = (): string => {
  const named = process.env.XDG_CONFIG_HOME ?? ""
  // A relative one is to be ignored, by the XDG Base Directory Specification.
  return join(isAbsolute(named) ? named : join(home(), ".config"), "context")
}
