/**
 * Decides a command again on what there is now, from its events alone: they are what was wanted.
 *
 * The same rules as in the registry: names are unique, what is referred to is there, what is needed stays, and required
 * dependencies never form a cycle. They are checked on the rows as the whole unit leaves them, so their order does not matter.
 */
import { idOf } from "../../Aggregate.js"
import { canonicalJson } from "../../CanonicalJson.js"
import { cycleThrough } from "../../domain/Dependency.js"
import { RejectionSettled } from "../../domain/Rejection.js"
import { AlreadyExists, DependencyCycle, InUse } from "../../Errors.js"
import type { Recorded } from "../../Event.js"
import type { Fold } from "../../Fold.js"
import { isSaidBy } from "../../Here.js"
import { type Projection, uniqueValue } from "../../Projection.js"
import { dependencies } from "../../views/dependencies.js"
import { type ServerRow, servers } from "../../views/servers.js"
import { services } from "../../views/services.js"
import { entities, type Kind, kinds } from "./entities.js"
import { isDecision } from "./units.js"

/** `moot`: there is nothing left to do. */
export type Verdict = { readonly outcome: "stands" } | { readonly outcome: "refused" | "moot"; readonly reason: string }

type Row = Readonly<Record<string, any>>

/** A row that the unit touched, as it was and as it is. */
interface Touched {
  readonly kind: Kind
  readonly id: string
  readonly before: Row | undefined
  after: Row | undefined
}

const stands: Verdict = { outcome: "stands" }
const refused = (reason: string): Verdict => ({ outcome: "refused", reason })

/** Decides a unit on the rows of a fold of the `decisive` views. If it stands, its events are folded in; else nothing is. */
export const redecide = (unit: ReadonlyArray<Recorded>, world: Fold): Verdict => {
  if (!unit.some(isDecision)) return apply(unit, world)
  const touched = new Map<string, Touched>()
  const idle: Array<{ readonly type: string; readonly reason: string }> = []
  for (const event of unit) {
    const verdict = foldIn(event, world, touched)
    if (verdict.outcome === "refused") return undo(touched, world, verdict)
    if (verdict.outcome === "moot") idle.push({ type: event.type, reason: verdict.reason })
  }
  const [first] = idle
  // That a refused command was given again is no work of its own.
  const work = unit.filter(({ type }) => type !== RejectionSettled.type)
  if (first !== undefined && idle.length === work.length)
    return undo(touched, world, { outcome: "moot", reason: first.reason })
  // What is there already would be as it was at first, whatever was done to it since.
  const again = idle.find(({ type }) => type.endsWith("Added"))
  if (again !== undefined) return undo(touched, world, refused(again.reason))
  for (const one of touched.values()) {
    const reason = brokenBy(one, world)
    if (reason !== undefined) return undo(touched, world, refused(reason))
  }
  return stands
}

const apply = (unit: ReadonlyArray<Recorded>, world: Fold): Verdict => {
  for (const event of unit) world.apply(event)
  return stands
}

const undo = (touched: ReadonlyMap<string, Touched>, world: Fold, verdict: Verdict): Verdict => {
  for (const { before, id, kind } of touched.values()) {
    if (before === undefined) world.rows(kind.view).delete(id)
    else world.rows(kind.view).set(id, before)
  }
  return verdict
}

/** Folds one event in, where its thing is there to be changed. */
const foldIn = (event: Recorded, world: Fold, touched: Map<string, Touched>): Verdict => {
  const entity = entities.get(event.type)
  if (entity === undefined) return apply([event], world)
  const { kind, verb } = entity
  const id = idOf(event.stream)
  const rows = world.rows(kind.view)
  const before = rows.get(id) as Row | undefined
  const known = touched.get(`${kind.noun} ${id}`) ?? { kind, id, before, after: before }
  touched.set(`${kind.noun} ${id}`, known)
  const idle = idleness(kind, verb, before, event)
  if (idle !== undefined) return idle
  world.apply(event)
  known.after = rows.get(id) as Row | undefined
  return stands
}

/** Why an event would do nothing: its thing is gone, or already as it should be. */
const idleness = (kind: Kind, verb: string, row: Row | undefined, event: Recorded): Verdict | undefined => {
  const data = event.data as Row
  if (verb === "Added") return row && { outcome: "moot", reason: `${kind.noun} "${kind.label(row)}" is there already` }
  if (row === undefined) {
    const name = data.name ?? data.from
    if (verb === "Removed") return { outcome: "moot", reason: `${kind.noun} "${name}" is removed already` }
    return refused(`the ${kind.noun} "${name}" that it was about is not there any more`)
  }
  const same =
    verb === "Renamed"
      ? data.to === row.name
      : verb === "Updated" && Object.keys(data.changes).every((key) => isSame(key, data.changes[key], row, event))
  return same ? { outcome: "moot", reason: `${kind.noun} "${kind.label(row)}" is like that already` } : undefined
}

/** That a server is this machine is another thing where another says it. */
const isSame = (key: string, value: unknown, row: Row, { meta }: Recorded): boolean =>
  equal(value, row[key]) &&
  (key !== "local" || value !== true || isSaidBy(row as ServerRow, { ...meta, key: meta.key }))

const equal = (a: unknown, b: unknown): boolean => canonicalJson(a) === canonicalJson(b)

/** Which rule a touched row breaks, or its absence, in words. */
const brokenBy = ({ after, before, id, kind }: Touched, world: Fold): string | undefined => {
  if (after === undefined) return before && (stillUsed(kind, before, id, world) ?? jumpedThrough(kind, before, world))
  return (
    taken(kind, after, id, world) ??
    dangling(kind, after, before, world) ??
    cycle(kind, after, id, world) ??
    (before && before.name !== after.name ? jumpedThrough(kind, before, world) : undefined)
  )
}

const taken = (kind: Kind, row: Row, id: string, world: Fold): string | undefined => {
  const others = [...world.rows(kind.view)].filter(([other]) => other !== id).map(([, other]) => other as Row)
  // In SQL nothing never equals nothing.
  const whole = kind.view.unique.filter((key) => uniqueValue(row, key) !== undefined)
  const clash = [...whole, ...kind.alsoUnique].some((key) =>
    others.some((other) => key.every((field) => (other[field] ?? null) === (row[field] ?? null))),
  )
  return clash ? new AlreadyExists({ entity: kind.noun, name: kind.label(row) }).message : undefined
}

/** What the row refers to and is not there. A jump host by name is such a thing, too, when it is newly said. */
const dangling = (kind: Kind, row: Row, before: Row | undefined, world: Fold): string | undefined => {
  const missing = kind.references.find(
    ({ field, to }) => (row[field] ?? null) !== null && !world.rows(to).has(row[field]),
  )
  if (missing !== undefined)
    return `the ${missing.noun} that ${kind.noun} "${kind.label(row)}" belongs to or needs is not there`
  const jump = row.sshConfig?.jumpHost ?? null
  if (kind.view !== servers || jump === null || /[@:.]/.test(jump) || before?.sshConfig?.jumpHost === jump)
    return undefined
  return named(world, jump) ? undefined : `server "${row.name}" would jump through "${jump}", which is not there`
}

const named = (world: Fold, name: string): boolean => rowsOf(world, servers).some((row) => row.name === name)

const stillUsed = (kind: Kind, row: Row, id: string, world: Fold): string | undefined => {
  const by = kinds.flatMap((user) =>
    user.references
      .filter(({ to }) => to === kind.view)
      .flatMap(({ field }) => rowsOf(world, user.view).filter((one) => one[field] === id))
      .filter((one) => kind.view === services || !("serviceId" in one) || one.serviceId === null)
      .map((one) => `${user.noun} ${user.label(one)}`),
  )
  return by.length === 0 ? undefined : new InUse({ entity: kind.noun, name: kind.label(row), by }).message
}

/** Servers that jump through the name this one no longer has. */
const jumpedThrough = (kind: Kind, before: Row, world: Fold): string | undefined => {
  if (kind.view !== servers || named(world, before.name)) return undefined
  const others = rowsOf(world, servers).filter((row) => row.id !== before.id)
  const by = others.filter((row) => row.sshConfig?.jumpHost === before.name)
  if (by.length === 0) return undefined
  const users = by.map((row) => `server ${row.name}, which jumps through it`)
  return new InUse({ entity: "server", name: before.name, by: users }).message
}

const cycle = (kind: Kind, row: Row, id: string, world: Fold): string | undefined => {
  if (kind.view !== dependencies || !row.required || (row.dependsOnServiceId ?? null) === null) return undefined
  const edges = [...world.rows(dependencies)]
    .map(([other, edge]) => [other, edge as Row] as const)
    .filter(([other, edge]) => other !== id && edge.required && (edge.dependsOnServiceId ?? null) !== null)
    .map(([, edge]) => [edge.serviceId, edge.dependsOnServiceId] as const)
  const path = cycleThrough(edges, row.serviceId, row.dependsOnServiceId)
  if (path === undefined) return undefined
  const name = (service: string) => (world.rows(services).get(service) as Row | undefined)?.name ?? service
  return new DependencyCycle({ path: path.map(name) }).message
}

const rowsOf = (world: Fold, view: Projection): ReadonlyArray<Row> =>
  [...world.rows(view).values()] as ReadonlyArray<Row>
