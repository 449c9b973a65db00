/** `context infra machine rename <name> <new>` */
import * as Effect from "effect/Effect"
import { machineNamed } from "../../enrolling.js"
import { leaf } from "../../leaf.js"
import { argument } from "../../options.js"
import { withMachines } from "../../runtime.js"

export const rename = leaf({
  name: "rename",
  description: "Gives a machine another name. Its key, and so all that it signed, stays the same.",
  examples: ["machine rename vm-2f81 server"],
  args: {
    name: argument("name", "Its name, id or fingerprint, or the first 4 or more characters of one of these two"),
    to: argument("new", "What to call it from now on"),
  },
  run: (given) =>
    withMachines(given, ({ machines }) =>
      Effect.flatMap(machineNamed(machines, given.name), ({ machineId, name }) =>
        Effect.map(machines.rename(machineId, given.to), (row) => ({ ...row, before: name })),
      ),
    ),
  said: ({ before, name }) => `renamed machine ${before} to ${name}`,
})
