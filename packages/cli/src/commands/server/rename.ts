/** `context infra server rename <name> <new>` */
import { renaming } from "../../renaming.js"

export const rename = renaming("server", "server rename myserver hetzner", ({ servers }) => servers)
