/** `context infra service rename <name> <new>` */
import { renaming } from "../../renaming.js"

export const rename = renaming("service", "service rename api backend", ({ services }) => services)
