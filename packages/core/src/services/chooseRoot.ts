/** Which root a person means who names one by its fingerprint: one key may have begun more than one. */
import * as Effect from "effect/Effect"
import { type Ambiguous, InvalidInput, type NotFound } from "../Errors.js"
import type { Machines_, PendingRoot } from "./Machines.js"
import { theOne } from "./names.js"

/**
 * The root of a fingerprint, or its beginning, and of a position where one is given. Without one it is the newest that waits for a
 * word; the one that counts already is no choice, and what lies before it is taken by its position alone.
 */
export const chooseRoot = (
  { machines, otherRoots, pendingRoots }: Machines_,
  print: string,
  position?: number,
): Effect.Effect<PendingRoot, NotFound | Ambiguous | InvalidInput> =>
  Effect.gen(function* () {
    const all = [...pendingRoots, ...otherRoots]
    const current = machines.find(({ root }) => root)
    const { fingerprint } = yield* theOne(
      "root",
      print,
      distinct([...all, ...(current === undefined ? [] : [current])]),
      (one) => [one.fingerprint],
    )
    const isMeant = (one: PendingRoot) => one.fingerprint === fingerprint
    const found = all.filter((one) => isMeant(one) && (position === undefined || one.position === position))
    const newest = [...pendingRoots.filter((one) => found.includes(one))].sort((a, b) => b.position - a.position)[0]
    if (newest !== undefined) return newest
    const others = all.filter(isMeant)
    if (position === undefined && current?.fingerprint === fingerprint)
      return yield* refused(`${current.name} is the root of the log here already`, others)
    if (found.length === 1) return found[0] as PendingRoot
    return yield* refused(
      position === undefined
        ? `${others.length} roots have this fingerprint`
        : `no root of this fingerprint is at position ${position}`,
      others,
    )
  })

const refused = (reason: string, others: ReadonlyArray<PendingRoot>): InvalidInput => {
  const ways = others.map(({ position }) => `--position ${position}`)
  const next = ways.length === 0 ? "" : `; another with the same key is taken with ${ways.join(" or ")}`
  return new InvalidInput({ field: "", reason: `${reason}${next}` })
}

const distinct = <A extends { readonly fingerprint: string }>(roots: ReadonlyArray<A>): ReadonlyArray<A> =>
  roots.filter((one, index) => roots.findIndex(({ fingerprint }) => fingerprint === one.fingerprint) === index)
