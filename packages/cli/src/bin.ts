/** The `context` program: help at once, everything else with the runtime that it takes. */
import { helpFor } from "./help.js"
import { screen } from "./screen.js"

// The reader went away (`context infra events | head`): nobody is left to talk to.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0)
  process.stderr.write(`error: the answer could not be written: ${error.message}\n`)
  process.exit(1)
})
process.stderr.on("error", () => {})

const start = async (argv: ReadonlyArray<string>): Promise<void> => {
  const help = await helpFor(argv, screen())
  if (help !== undefined) {
    process.stdout.write(help)
    return
  }
  const { run } = await import("./program.js")
  run(argv)
}

start(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`bug in context: ${error?.stack ?? error}\n`)
  process.exit(70)
})
