/** `context infra machine root` */

import { word } from "@context-engine/core/Shell"
import type { Machines_ } from "@context-engine/core/services/Machines"
import * as Effect from "effect/Effect"
import { explain } from "../../enrolling.js"
import { leaf } from "../../leaf.js"
import { flag, removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { needsFile } from "../../runtime/log.js"
import { withMachines } from "../../runtime.js"
import { isInteractive } from "../../terminal.js"
import { Refused } from "../../usage.js"

/** Who says already who may write is not asked whether to. */
const ofAdmin = ({ machines }: Machines_) =>
  machines.some(({ here, role, status }) => here && role === "admin" && status === "enrolled")
    ? new Refused({
        message: "this machine is an admin of this log and says already who may write to it",
        next: "context infra machine list; another root is only for a log whose admin keys are all lost",
      })
    : Effect.void

/** Another root turns away the one that is there: whoever waits to be enrolled might take it for the way in. */
const besideAdmins = (
  { machines, pendingRoots }: Machines_,
  { keysLost, yes }: { readonly keysLost: boolean; readonly yes: boolean },
) => {
  const own = machines.find(({ here }) => here)
  const admins =
    own?.role === "admin" && own.status === "enrolled"
      ? []
      : machines.filter(({ here, role, status }) => !here && role === "admin" && status === "enrolled")
  if (admins.length === 0 || keysLost) return Effect.void
  const named = admins.map(({ fingerprint, name }) => `${name} (${fingerprint})`).join(", ")
  const message = `this log has a root, and its admins are ${named}: another root is only for a log whose admin keys are all lost`
  const [other] = pendingRoots
  const next =
    other === undefined
      ? "on one of them: context infra machine approve, or sync invite; if all are lost, add --keys-lost, and --yes where nobody can be asked"
      : `${waiting(pendingRoots)}; if none of them is the right one and all keys are lost, add --keys-lost, and --yes where nobody can be asked`
  return yes || !isInteractive()
    ? new Refused({ message, next })
    : explain(`${message[0]?.toUpperCase()}${message.slice(1)}. If one is left, say no: it can take this machine in.`)
}

/** Somebody may have begun another one already, because the keys are lost: that is the way on, and not a third. */
const waiting = (roots: Machines_["pendingRoots"]): string =>
  roots
    .map(
      ({ fingerprint, name, position }) =>
        `${name} began another root at position ${position}, which waits for a word here: context infra machine trust ${fingerprint}, if ${word(name)} shows the same`,
    )
    .join("; ")

/**
 * What `machine add` printed names the root that it is of, and what is written with it stays under that one. A job that is enrolled
 * beside this machine has its name still, and the key that goes is found by another only if it is renamed first.
 */
const anew = (isBeside: boolean): string =>
  `. Jobs have keys of the root before (CONTEXT_KEY): ${
    isBeside
      ? "for each that is enrolled, in this order, context infra machine rename <job> <job>-old, machine revoke <job>-old, machine add <job>"
      : "they count for nothing under this one, and context infra machine add <job> gives each a new one"
  }`

export const root = leaf({
  name: "root",
  description:
    "Makes this machine the root of a log that has none yet, or whose keys are all lost: it says from now on who may write. All that the " +
    "log has until here is accepted as it is. Every other machine asks its person once whether this root is the right one.",
  examples: ["machine root", "machine root --only-this --keys-lost"],
  options: {
    onlyThis: flag("only-this", "Enrol no other machine beside it"),
    keysLost: flag(
      "keys-lost",
      "The keys of all admin machines of this log are lost: needed with --yes where it has any",
    ),
    yes: removing.yes,
  },
  run: (given) =>
    Effect.zipRight(
      needsFile("begin a root on"),
      withMachines(given, ({ machines }) =>
        Effect.gen(function* () {
          const before = yield* machines.list
          yield* ofAdmin(before)
          yield* besideAdmins(before, given)
          if (given.keysLost && before.pendingRoots.length > 0)
            yield* explain(
              `${waiting(before.pendingRoots)}. Is it the right one, then say no: a root more is one that every machine is asked about.`,
            )
          const others = given.onlyThis ? [] : yield* machines.rootPlan
          const named = others.map(({ fingerprint, name }) => `${name} (${fingerprint})`)
          if (!given.yes && named.length > 0)
            yield* explain(
              `Enrolled beside this machine: ${named.join(", ")}. Is one of them not yours, or lost, then say no, and --only-this.`,
            )
          const beside = named.length === 0 ? "and no other machine" : `with ${named.length} beside it`
          yield* confirmed(given.yes, `make this machine the root of the log, ${beside}`)
          const row = yield* machines.beginRoot(!given.onlyThis)
          return { ...row, beside: others, isFirst: !before.machines.some((machine) => machine.root) }
        }),
      ),
    ),
  said: ({ beside, fingerprint, isFirst, name }) =>
    `${name} (${fingerprint}) is the root of the log${beside.length === 0 ? "" : `, and beside it are enrolled ${beside.map((one) => one.name).join(", ")}`}; ` +
    `on every other machine: context infra machine trust ${fingerprint}${isFirst ? "" : anew(beside.length > 0)}`,
})
