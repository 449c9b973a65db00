/** Standard output and standard error, the progress line below them, and questions to the person in front. */
import * as Effect from "effect/Effect"
import { cut, paint } from "./render/text.js"
import { errorScreen, screen } from "./screen.js"

export { errorScreen, screen }

/** Whether there is a person to ask. */
export const isInteractive = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true

/** Ends when it is written. A terminal, a file and mostly a pipe take it at once. */
const write = (stream: NodeJS.WriteStream, text: string | Uint8Array): Effect.Effect<void> =>
  Effect.suspend(() => {
    hide()
    stream.write(text)
    // What failed is told by the stream itself, in a moment.
    if (stream.writableLength === 0 && stream.errored === null) return Effect.void
    return Effect.async((resume) => void stream.write("", () => resume(Effect.void)))
  })

/** Writes to standard output. */
export const print = (text: string | Uint8Array): Effect.Effect<void> => write(process.stdout, text)

/** Writes a line to standard error. */
export const say = (text: string): Effect.Effect<void> => write(process.stderr, `${text}\n`)

/** The same at once, for who cannot wait. */
export const sayNow = (text: string): void => {
  hide()
  process.stderr.write(`${text}\n`)
}

/** The progress line, if there is one. */
let line: { label: string; readonly since: number; shown: boolean; paused: boolean } | undefined

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]

/** Shows a progress line on a terminal while something takes longer than a second. */
export const progress =
  (label: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    if (process.stderr.isTTY !== true || process.env.TERM === "dumb") return effect
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        line = { label, since: Date.now(), shown: false, paused: false }
        return setInterval(draw, 100)
      }),
      () => effect,
      (timer) =>
        Effect.sync(() => {
          clearInterval(timer)
          hide()
          line = undefined
        }),
    )
  }

/** Changes what the progress line says. */
export const relabel = (label: string): Effect.Effect<void> =>
  Effect.sync(() => {
    if (line !== undefined) line.label = label
  })

const draw = (): void => {
  if (line === undefined || line.paused) return
  const elapsed = Date.now() - line.since
  if (elapsed < 1000) return
  const to = errorScreen()
  const frame = frames[Math.floor(elapsed / 100) % frames.length] as string
  const text = cut(`${line.label} ${Math.floor(elapsed / 1000)}s`, to.columns - 3)
  process.stderr.write(`\r\u001b[K${paint(to, "warn", frame)} ${text}`)
  line.shown = true
}

const hide = (): void => {
  if (line?.shown !== true) return
  process.stderr.write("\r\u001b[K")
  line.shown = false
}

/** Asks a question that is answered with yes or no. Anything but a yes is a no. */
export const confirm = (text: string): Effect.Effect<boolean> =>
  Effect.map(question(`${text} [y/N] `), (answer) => /^y(es)?$/i.test(answer.trim()))

/** Asks a question, with the progress line out of the way, and gives the line that is typed. */
export const question = (text: string): Effect.Effect<string> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      hide()
      if (line !== undefined) line.paused = true
    }),
    () => ask(text),
    () =>
      Effect.sync(() => {
        if (line !== undefined) line.paused = false
      }),
  )

const ask = (text: string): Effect.Effect<string> =>
  Effect.flatMap(
    Effect.promise(() => import("node:readline")),
    ({ createInterface }) =>
      Effect.async<string>((resume) => {
        process.stderr.write(text)
        // Not a terminal for readline: it would take Ctrl-C for itself.
        const reader = createInterface({ input: process.stdin, terminal: false })
        reader.once("line", (answer) => {
          resume(Effect.succeed(answer))
          reader.close()
        })
        reader.once("close", () => resume(Effect.succeed("")))
        return Effect.sync(() => {
          reader.close()
          process.stderr.write("\n")
        })
      }),
  )
