/** What the commands about machines have in common: which one is meant, and what is asked about it. */
import type { Ambiguous, NotFound } from "@context-engine/core/Errors"
import type { MachineRow, Machines } from "@context-engine/core/services/Machines"
import { theOne } from "@context-engine/core/services/names"
import * as Effect from "effect/Effect"
import { flag } from "./options.js"
import { safe } from "./render/safe.js"
import { wrap } from "./render/text.js"
import { errorScreen } from "./screen.js"
import { say } from "./terminal.js"

/** What may be said of who comes to a log. */
export const asAdmin = { admin: flag("admin", "It may decide, too, who writes: invite, approve and revoke") }

export const roleOf = ({ admin }: { readonly admin: boolean }) => (admin ? "admin" : "member")

/** The machine that is meant: by its name, its id or its fingerprint, or the beginning of one. */
export const machineNamed = (
  { list }: Machines["Type"],
  name: string,
): Effect.Effect<MachineRow, NotFound | Ambiguous | Effect.Effect.Error<Machines["Type"]["list"]>> =>
  Effect.flatMap(list, ({ machines }) =>
    theOne("machine", name, machines, (row) => [row.name, row.machineId, row.fingerprint]),
  )

/** Tells the person in front what a question is about. */
export const explain = (text: string): Effect.Effect<void> => say(wrap(safe(text), errorScreen().columns).join("\n"))
