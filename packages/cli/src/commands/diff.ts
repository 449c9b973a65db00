/** `context infra diff <from> <to>` */
import * as Effect from "effect/Effect"
import { leaf } from "../leaf.js"
import { argument, moments, optionalArgument } from "../options.js"
import { logIsThere } from "../runtime/log.js"
import { withAudit } from "../runtime.js"

export const diff = leaf({
  name: "diff",
  description: "What changed between two moments: entity by entity, field by field, with who did it and how.",
  examples: ["diff 2h", "diff 2026-11-01 2026-11-08", "diff 1200 1234"],
  args: {
    from: argument("from", `A moment: ${moments}`),
    to: optionalArgument("to", "Another (default: now)"),
  },
  run: (given) =>
    Effect.zipRight(
      logIsThere(given.db),
      withAudit(given, ({ history }) => history.diff(given.from, given.to ?? "now")),
    ),
  render: async () => (await import("../render/audit.js")).difference,
})
