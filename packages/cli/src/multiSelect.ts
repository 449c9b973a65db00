/** A list on the terminal in which several things can be marked. Drawn on standard error: the answer is standard output's. */
import * as Prompt from "@effect/cli/Prompt"
import * as Terminal from "@effect/platform/Terminal"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Effect from "effect/Effect"
import type { Pickable } from "./picking.js"
import { safe } from "./render/safe.js"
import { cut, wrap } from "./render/text.js"
import { errorScreen, say } from "./terminal.js"

/** What stands before a title: an arrow, a box and the spaces between. */
const margin = 6

/** The values of what was marked. Ctrl-C interrupts. */
export const multiSelect = <A>(question: string, found: ReadonlyArray<Pickable<A>>): Effect.Effect<ReadonlyArray<A>> =>
  Effect.gen(function* () {
    const { columns } = errorScreen()
    yield* say(wrap(`${safe(question)} (space marks, enter goes on)`, columns).join("\n"))
    const terminal = yield* NodeTerminal.make()
    const prompt = Prompt.multiSelect({
      message: "Register",
      maxPerPage: Math.max(5, Math.min(20, (process.stderr.rows ?? 24) - 4)),
      choices: found.map(({ marked, title }, value) => ({
        // A line that wraps would not be taken away when the list is drawn again.
        title: cut(safe(title), columns - margin),
        value,
        selected: marked,
      })),
    })
    const chosen = yield* asked(prompt, onStandardError(terminal))
    return chosen.map((index) => (found[index] as Pickable<A>).value)
  }).pipe(Effect.scoped)

/** It asks for no files: a terminal is all that it needs. */
const asked = <A>(prompt: Prompt.Prompt<A>, terminal: Terminal.Terminal): Effect.Effect<A> =>
  (Prompt.run(prompt) as Effect.Effect<A, Terminal.QuitException, Terminal.Terminal>).pipe(
    Effect.provideService(Terminal.Terminal, terminal),
    Effect.catchTag("QuitException", () => Effect.interrupt),
    Effect.ensuring(Effect.sync(() => process.stderr.write("\u001b[?25h"))),
  )

const onStandardError = (terminal: Terminal.Terminal): Terminal.Terminal => ({
  ...terminal,
  columns: Effect.sync(() => process.stderr.columns ?? 80),
  display: (text) => Effect.sync(() => void process.stderr.write(text)),
})
