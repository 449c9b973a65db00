/** `context infra machine add <name>` */
import { asAdmin, roleOf } from "../../enrolling.js"
import { leaf } from "../../leaf.js"
import { argument } from "../../options.js"
import { withMachines } from "../../runtime.js"

export const add = leaf({
  name: "add",
  description:
    "Makes a key for a job that keeps no home, and enrols it. The key is printed once, as one line: keep it as a secret of the job, " +
    "which finds it in CONTEXT_KEY. Jobs may run beside each other with one key.",
  examples: ["machine add ci", "machine add ci --json | jq -r .key | gh secret set CONTEXT_KEY"],
  args: { name: argument("name", "What to call it") },
  options: asAdmin,
  run: (given) => withMachines(given, ({ machines }) => machines.add(given.name, roleOf(given))),
  render: async () => (await import("../../render/machines.js")).key,
})
