/** `context infra audit verify` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { logIsThere } from "../../runtime/log.js"
import { withAudit } from "../../runtime.js"
import { progress } from "../../terminal.js"
import { walked } from "../../walk.js"

export const verify = leaf({
  name: "verify",
  description:
    "Walks the log from its first event: every hash, every signature, every trigger, and every row against one folded anew. " +
    "Names the first position that does not hold.",
  examples: ["audit verify", "audit verify --json"],
  run: (given) =>
    Effect.zipRight(
      logIsThere(given.db),
      withAudit(given, ({ audit }) => progress("verifying")(audit.verify(walked("verifying")))),
    ),
  render: async () => (await import("../../render/audit.js")).verdict,
  unwell: ({ ok }) => !ok,
})
