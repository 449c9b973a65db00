/** A list of which only the newest were asked for. */
import { paint, type Renderer } from "./text.js"

/** Says below a list that is as long as what is shown unasked that there may be more. `limit`: what was asked for, if anything. */
export const newest =
  <A>(render: Renderer<ReadonlyArray<A>>, limit: number | undefined, unasked: number): Renderer<ReadonlyArray<A>> =>
  (rows, screen) => {
    const text = render(rows, screen)
    return limit !== undefined || rows.length < unasked
      ? text
      : `${text}\n${paint(screen, "faint", `the newest ${unasked}; --limit shows more`)}`
  }
