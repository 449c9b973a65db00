/** What the parts of the bench have in common. */
import type { Line } from "../../packages/store/test/support/proxy.js"
import type { Sqld } from "../../packages/store/test/support/sqld.js"

export interface Setting {
  /** For files; each part takes a name of its own in it. */
  readonly directory: string
  readonly sqld: Sqld
  /** The slow line to it. */
  readonly line: Line
  /** The built CLI. */
  readonly program: string
}
