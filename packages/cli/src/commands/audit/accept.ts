/** `context infra audit accept` */
import type { Loss } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { givenUpInWords } from "../../render/loss.js"
import { isShared, lossWhereGone, needsFile } from "../../runtime/log.js"
import { withAudit } from "../../runtime.js"

export const accept = leaf({
  name: "accept",
  description:
    "Goes on with the log as it is, where it lacks what this machine has seen of it: because an older copy was put there on " +
    "purpose, or nothing better is left. What was seen is then not asked for any more. `context infra restore` does so by itself.",
  examples: ["audit accept", "audit accept --yes"],
  options: { yes: removing.yes },
  run: (given) =>
    Effect.gen(function* () {
      yield* needsFile("accept")
      const shared = isShared(given.db)
      const ask = ({ position }: Loss) =>
        confirmed(given.yes, `go on without what is missing up to position ${position}`)
      // Asked before it is opened, which makes a file in its place.
      const gone = yield* lossWhereGone(given.db)
      if (gone !== null) yield* ask(gone)
      return yield* withAudit({ ...given, mayBeGone: true }, ({ audit }) =>
        Effect.gen(function* () {
          const loss = yield* audit.loss
          if (loss === null) return { givenUp: null, shared }
          if (gone === null) yield* ask(loss)
          return { givenUp: yield* audit.accept, shared }
        }),
      )
    }),
  said: ({ givenUp, shared }) =>
    givenUp === null ? "the log lacks nothing that this machine has seen" : givenUpInWords(givenUp, shared),
})
