/**
 * Given, when, then: specifications for deciders and projections, as values.
 *
 * They run without a log, a clock or a test framework: a failure is a thrown `SpecificationFailed` that shows both sides.
 */
import * as Either from "effect/Either"
import type { Aggregate } from "../Aggregate.js"
import type { Event, Recorded } from "../Event.js"
import type { Projection } from "../Projection.js"

/** What came was not what was specified. */
export class SpecificationFailed extends Error {
  override readonly name = "SpecificationFailed"
  constructor(
    readonly expected: unknown,
    readonly actual: unknown,
  ) {
    super(`expected ${JSON.stringify(expected, null, 2)}\nbut got ${JSON.stringify(actual, null, 2)}`)
  }
}

/** `specify(aggregate).given(...events).when(command).thenEvents(...events)`, or `.thenRejected(tag)`. */
export const specify = <State, Command, E extends Event, Rejection extends { readonly _tag: string }>(
  aggregate: Aggregate<State, Command, E, Rejection>,
) => ({
  given: (...history: ReadonlyArray<E>) => ({
    when: (command: Command) => {
      const state = history.reduce((folded, event) => aggregate.evolve(folded, event), aggregate.initial)
      const decided = aggregate.decide(command, state)
      const seen = Either.isRight(decided) ? decided.right : { rejected: decided.left._tag }
      return {
        thenEvents: (...events: ReadonlyArray<E>) => same(events, seen),
        thenRejected: (tag: Rejection["_tag"]) => same({ rejected: tag }, seen),
      }
    },
  }),
})

/**
 * `specifyProjection(projection).given(...events).thenRows(rows)`. Folds the events twice, from nothing each time: a fold that
 * gives other rows the second time is not a fold.
 */
export const specifyProjection = <Row extends object, E extends Event>(projection: Projection<Row, E>) => ({
  given: (...history: ReadonlyArray<Recorded<E>>) => ({
    thenRows: (...rows: ReadonlyArray<Row>) => {
      const first = foldRows(projection, history)
      same(first, foldRows(projection, history))
      same(rows, first)
    },
  }),
})

/** An envelope around an event, for specifications; what it leaves out is filled with fixed values. */
export const recorded = <E extends Event>(
  event: E,
  envelope: Partial<Recorded<E>> & { readonly stream: string },
): Recorded<E> => ({
  position: 1,
  id: "00000000-0000-7000-8000-000000000000",
  version: 1,
  schema: 1,
  meta: { actor: "ada", via: "library", machine: "test", commandId: "00000000-0000-7000-8000-000000000001" },
  occurredAt: "2026-01-01T00:00:00.000Z",
  recordedAt: "2026-01-01T00:00:00.000Z",
  hash: "",
  signature: null,
  ...envelope,
  type: event.type,
  data: event.data,
})

const foldRows = <Row extends object, E extends Event>(
  projection: Projection<Row, E>,
  history: ReadonlyArray<Recorded<E>>,
): ReadonlyArray<Row> => {
  const rows = new Map<string, Row>()
  for (const event of history) {
    const key = projection.key(event)
    if (key === undefined) continue
    const row = projection.evolve(rows.get(key), event)
    if (row === undefined) rows.delete(key)
    else rows.set(key, row)
  }
  return [...rows.values()]
}

const same = (expected: unknown, actual: unknown): void => {
  if (JSON.stringify(expected) !== JSON.stringify(actual)) throw new SpecificationFailed(expected, actual)
}
