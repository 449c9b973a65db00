/** How leaves are put together: groups of verbs, and leaves with verbs below them. */
import type { Leaf } from "./leaf.js"

export type Group = ReadonlyArray<Leaf>

export const isGroup = (found: Leaf | Group | Branch): found is Group => Array.isArray(found)

/** A leaf with verbs below it: `deploy <service>` and `deploy attach <service>`. What is no verb is the leaf's argument. */
export interface Branch {
  readonly own: Leaf
  readonly verbs: Group
}

export const isBranch = (found: Leaf | Group | Branch): found is Branch => "own" in found

/** What a list of commands shows of one. */
export interface Entry {
  readonly name: string
  readonly description: string
}
