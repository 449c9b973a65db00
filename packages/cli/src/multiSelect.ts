/** A list on the terminal in which several things can be marked. Drawn on standard error: the answer is standard output's. */
import * as Prompt from "@effect/cli/Prompt"
import * as Terminal from "@effect/platform/Terminal"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Effect from "effect/Effect"
import { safe } from "./render/safe.js"
import { cut, paint, type Screen, wrap } from "./render/text.js"
import { errorScreen, say } from "./terminal.js"

/** Something to choose. */
export interface Pickable<A> {
  readonly value: A
  /** One line that says what it is. Made safe where it is shown. */
  readonly title: string
  /** Whether it is marked at first, and taken by `--yes`. */
  readonly marked: boolean
}

/** Where the cursor is, and what is marked, by index. */
export interface Marking {
  readonly at: number
  readonly marked: ReadonlySet<number>
}

/** The values of what was marked, in their order. Ctrl-C interrupts. */
export const multiSelect = <A>(question: string, found: ReadonlyArray<Pickable<A>>): Effect.Effect<ReadonlyArray<A>> =>
  Effect.gen(function* () {
    const hint = "(space marks, a marks all or none, enter goes on)"
    yield* say(wrap(`${safe(question)} ${hint}`, errorScreen().columns).join("\n"))
    const terminal = yield* NodeTerminal.make()
    const marked = new Set(found.flatMap((one, index) => (one.marked ? [index] : [])))
    const titles = found.map(({ title }) => title)
    const chosen = yield* asked(promptOf(titles, { at: 0, marked }), onStandardError(terminal))
    return found.filter((_, index) => chosen.has(index)).map(({ value }) => value)
  }).pipe(Effect.scoped)

/** What a key does: another state, the end, or nothing. */
export const press = (key: string, { at, marked }: Marking, size: number): Marking | "over" | undefined => {
  switch (key) {
    case "up":
    case "k":
      return { at: (at + size - 1) % size, marked }
    case "down":
    case "j":
    case "tab":
      return { at: (at + 1) % size, marked }
    case "space": {
      const next = new Set(marked)
      if (!next.delete(at)) next.add(at)
      return { at, marked: next }
    }
    case "a":
      return { at, marked: new Set(marked.size === size ? [] : Array.from({ length: size }, (_, index) => index)) }
    case "return":
    case "enter":
      return "over"
    default:
      return undefined
  }
}

/** The lines of the list, each within the screen; of a long one those around the cursor. */
export const frame = (
  screen: Screen,
  titles: ReadonlyArray<string>,
  { at, marked }: Marking,
  rows: number,
): ReadonlyArray<string> => {
  const first = Math.max(0, Math.min(at - Math.floor(rows / 2), titles.length - rows))
  const lines = titles.slice(first, first + rows).map((title, offset) => {
    const index = first + offset
    const text = cut(
      `${index === at ? "›" : " "} [${marked.has(index) ? "x" : " "}] ${safe(title)}`,
      screen.columns - 1,
    )
    return paint(screen, index === at ? "strong" : undefined, text)
  })
  const place = titles.length > rows ? `, ${at + 1} of ${titles.length}` : ""
  return [...lines, paint(screen, "faint", `  ${marked.size} marked${place}`)]
}

const promptOf = (titles: ReadonlyArray<string>, marking: Marking): Prompt.Prompt<ReadonlySet<number>> => {
  const rows = Math.max(3, Math.min(20, (process.stderr.rows || 24) - 5))
  const linesOf = (state: Marking) => frame(errorScreen(), titles, state, rows)
  return Prompt.custom<Marking, ReadonlySet<number>>(marking, {
    render: (_, action) =>
      Effect.succeed(
        action._tag === "NextFrame"
          ? `\u001b[?25l${linesOf(action.state).join("\n")}`
          : action._tag === "Beep"
            ? "\u0007"
            : "",
      ),
    process: ({ key: { name } }, state) => {
      const next = press(name, state, titles.length)
      if (next === undefined) return Effect.succeed({ _tag: "Beep" })
      return Effect.succeed(
        next === "over" ? { _tag: "Submit", value: state.marked } : { _tag: "NextFrame", state: next },
      )
    },
    clear: (state) => Effect.sync(() => `\r\u001b[2K${"\u001b[1A\u001b[2K".repeat(linesOf(state).length - 1)}`),
  })
}

/** It asks for no files: a terminal is all that it needs. */
const asked = <A>(prompt: Prompt.Prompt<A>, terminal: Terminal.Terminal): Effect.Effect<A> =>
  (Prompt.run(prompt) as Effect.Effect<A, Terminal.QuitException, Terminal.Terminal>).pipe(
    Effect.provideService(Terminal.Terminal, terminal),
    Effect.catchTag("QuitException", () => Effect.interrupt),
  )

const onStandardError = (terminal: Terminal.Terminal): Terminal.Terminal => ({
  ...terminal,
  columns: Effect.sync(() => errorScreen().columns),
  display: (text) => Effect.sync(() => void process.stderr.write(text)),
})
