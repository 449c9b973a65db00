/** What standard output and standard error are shown on. */
import type { Screen } from "./render/text.js"

const colourful = (stream: NodeJS.WriteStream): boolean =>
  stream.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb"

/** What answers are shown on. `asOf`: they are of the past. */
export const screen = (asOf = false): Screen => ({
  columns: process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY,
  colour: colourful(process.stdout),
  now: asOf ? undefined : Date.now(),
})

/** The same for standard error. */
export const errorScreen = (): Screen => ({
  columns: process.stderr.isTTY ? process.stderr.columns || 80 : Number.POSITIVE_INFINITY,
  colour: colourful(process.stderr),
  now: Date.now(),
})
