/** Where this program keeps its own files. */
import { homedir } from "node:os"
import { join } from "node:path"

/** A path as a person writes it, whose `~` no shell has replaced. */
export const fromHome = (path: string): string => (path.startsWith("~/") ? join(homedir(), path.slice(2)) : path)

/** What it keeps of this machine: the key, addresses, what was seen of logs. */
export const configDirectory = (): string => join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "context")
