/** `context infra doctor`, and `context doctor` */
import { leaf } from "../leaf.js"
import { load } from "../runtime.js"
import { progress } from "../terminal.js"

export const doctor = leaf({
  name: "doctor",
  description:
    "Looks at what this machine needs for its work: Node and the native driver, the database, the shared log and its token, " +
    "clocks, keys, permissions, SSH. Says what to do about what it finds, and changes nothing. Exit status 1 if there is trouble.",
  examples: ["doctor", "doctor --json", "doctor --db copy.db"],
  run: (given) =>
    load(
      () => import("../runtime/doctor.js"),
      ({ examine }) => progress("looking")(examine(given)),
    ),
  render: async () => (await import("../render/doctor.js")).diagnosis,
  unwell: ({ ok }) => !ok,
})
