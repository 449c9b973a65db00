/**
 * What becomes of this machine's own units where others came first: each is decided again, in order, on the rows of the log
 * without them.
 */
import { idOf } from "@context-engine/core/Aggregate"
import { EnrolmentRequested, machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import { admit, isEnrolled, type Membership } from "@context-engine/core/domain/Membership"
import { Fold } from "@context-engine/core/Fold"
import { decisive } from "@context-engine/core/services/sync/entities"
import { redecide, type Verdict } from "@context-engine/core/services/sync/redecide"
import { isDecision, units } from "@context-engine/core/services/sync/units"
import { what } from "@context-engine/core/views/tell"
import * as Either from "effect/Either"
import type { Connection } from "../connection.js"
import { signedBytes, signedOf } from "../Signer.js"
import { tables } from "../tables.js"
import { ownKey } from "../trust/chain.js"
import { holds } from "../trust/keys.js"
import { proves } from "../trust/membership.js"
import { isOwnWord } from "../trust/waiting.js"
import { givenAgain, needlessRefusals, type Placed, refusalsOf, thereAlready } from "./already.js"
import type { Author } from "./author.js"
import { placeOf, Squatted } from "./displaced.js"
import { renameDisplaced } from "./lost.js"
import { cut, refuse } from "./refusing.js"
import { draftOf, type Standing } from "./reseal.js"
import { areAlike, type Ground, isOfOtherLog, isSettling, mayNotWrite, refusal, turnedAway } from "./turnedAway.js"

/** What becomes of a unit: it stands as that, is told as refused, or needs nothing more, for it is there or no part of this log. */
type Fate = { readonly kept: Standing } | Exclude<Verdict, { outcome: "stands" }> | undefined

/** Decides every unit again, in order, on the rows of the log without them. */
export const decide = (connection: Connection, tail: ReadonlyArray<Placed>, author: Author, ground: Ground) => {
  const known = thereAlready(connection, tail)
  const refusals = refusalsOf(connection, tail)
  // What another machine signed in this log goes back to it as it was.
  const isOwn = ({ meta }: Placed) => meta.key === author.signer?.id || isOfOtherLog(ground.were, ground.members)
  const needless = needlessRefusals(connection, tail.filter(isOwn))
  const fateOf = fates(connection, tail, author, ground, needless)
  const kept: Array<Standing> = []
  for (const unit of units(tail)) {
    const there = unit.filter(({ id }) => known.get(id) === "same").length
    // Another machine that has them, too, was faster: a copy of this file, or one that healed the log before this one.
    if (there === unit.length || refusals.byItself(unit) || refusals.again(unit)) continue
    if (unit.every(({ id }) => needless.has(id))) continue
    const squatted = unit.some(({ id }) => known.get(id) === "other")
    const fate = there > 0 ? refusal(partly) : fateOf(unit, { squatted, refused: refusals.has(unit) })
    if (fate === undefined) continue
    if ("kept" in fate) kept.push(fate.kept)
    // It is told already; whoever else said so was right.
    else if (!refusals.has(unit)) {
      const told = { ...fate, reason: cut(fate.reason) }
      for (const { draft, part } of refuse(author, unit, told, refusals.streamOf)) {
        kept.push({ drafts: [draft], recordedAt: "", fresh: true })
        author.onRejected?.({ id: idOf(draft.stream), what: cut(what({ events: part })), ...told })
      }
    }
  }
  return kept
}

/**
 * Whether another's word is enough that a unit is refused. It is not for a decision about who may write, for it may be about just that
 * one, nor for what has happened, or was told as refused, by a machine that may write.
 */
const mayBeRefused = (unit: ReadonlyArray<Placed>, now: Membership): boolean =>
  !isAboutMachines(unit) && (unit.some(isDecision) || !isEnrolled(now, unit[0]?.meta.key ?? ""))

/** What the log has of a unit: something else under its id, another's word that it is refused. */
interface Found {
  readonly squatted: boolean
  readonly refused: boolean
}

/** Says of units, in their order, what becomes of each. */
const fates = (
  connection: Connection,
  tail: ReadonlyArray<Placed>,
  author: Author,
  ground: Ground,
  needless: ReadonlySet<string>,
) => {
  const world = loadWorld(connection)
  const again = givenAgain(connection, needless)
  let now = ground.members
  return (unit: ReadonlyArray<Placed>, { refused, squatted }: Found): Fate => {
    if (refused && mayBeRefused(unit, now)) return undefined
    // Who may write to another log is of no meaning in this one.
    if (isAboutMachines(unit) && !isOfRoot(unit, now, ground))
      return isOfOtherRoot(unit, author, now, ground) ? refusal(otherRoot) : undefined
    const rows = unit.map(({ row }) => row)
    // Its own machine alone can write it under another id.
    const lost = squatted && !isOwnWord(author.signer, rows, ground.roots)
    const overtaken = again(unit) ?? turnedAway(unit, tail, now, author, ground) ?? idTaken(unit, lost)
    const verdict = overtaken ?? redecide(unit, world)
    if (verdict.outcome !== "stands") return verdict
    const next = admitted(now, unit)
    if (Either.isLeft(next)) return inVain(unit, author, next.left)
    const before = now
    now = next.right
    if (lost && isAboutMachines(unit)) {
      // No decision is gone on without, where it is one that still changes something.
      if (!areAlike(before, now)) throw new Squatted(placeOf(connection, rows[0]?.[1] ?? ""), "decision")
      return { outcome: "moot", reason: "it would change nothing any more" }
    }
    if (squatted) return { kept: issuedAnew(connection, unit, author) }
    if (isSettling(unit) && mayNotWrite(unit, now, author, ground) !== undefined) return { kept: resigned(unit) }
    return { kept: { rows, others: isOthers(unit, author, now) } }
  }
}

/** What does not hold any more who decided it has to be told; this machine's own request it makes again itself. */
const inVain = (unit: ReadonlyArray<Placed>, { signer }: Author, reason: string): Fate => {
  const [{ meta, type }] = unit as readonly [Placed, ...Array<Placed>]
  if (type !== EnrolmentRequested.type) return refusal(reason)
  return meta.key === signer?.id ? undefined : { outcome: "moot", reason }
}

const otherRoot = "it was decided under another root of this log"

/** Whether this machine decided it under another root of the same log, where it may have to be decided again by a person. */
const isOfOtherRoot = (unit: ReadonlyArray<Placed>, { signer }: Author, now: Membership, { roots, were }: Ground) => {
  const [first] = unit as readonly [Placed, ...Array<Placed>]
  if (signer === undefined || first.meta.key !== signer.id) return false
  if (first.type === RootEstablished.type || first.type === EnrolmentRequested.type) return false
  const [before, after] = [were, now].map(({ earlier, root }) => [root?.eventId, ...earlier.map((one) => one.root)])
  const isSameLog = before?.some((id) => id !== undefined && after?.includes(id)) ?? false
  return (
    isSameLog &&
    isOwnWord(
      signer,
      unit.map(({ row }) => row),
      roots,
    )
  )
}

/** What is not about who may write is told, and can be given again; a refusal that is told is only told anew. */
const idTaken = (unit: ReadonlyArray<Placed>, lost: boolean) =>
  lost && !isAboutMachines(unit) && !isSettling(unit)
    ? refusal("somebody took its id in the shared log, and only its own machine could write it under another")
    : undefined

const isAboutMachines = (unit: ReadonlyArray<Placed>): boolean => unit.some(({ stream }) => stream === machinesStream)

const partly = "the log has a part of it already"

/** The same, written anew. */
const resigned = (unit: ReadonlyArray<Placed>): Extract<Standing, { readonly fresh: true }> => ({
  drafts: unit.map(({ row }) => draftOf(row)),
  recordedAt: unit[0]?.recordedAt ?? "",
  fresh: true,
})

/** Whether another machine signed a unit, which was enrolled when it stands there, or asks for just that. */
const isOthers = (unit: ReadonlyArray<Placed>, { signer }: Author, members: Membership): boolean => {
  const [{ meta, row, type }] = unit as readonly [Placed, ...Array<Placed>]
  if (meta.key === undefined || row[13] === null || meta.key === signer?.id) return false
  return type === EnrolmentRequested.type || isEnrolled(members, meta.key)
}

/** The members after a unit of this machine, or why it does not count any more: it may be no admin now. */
const admitted = (members: Membership, unit: ReadonlyArray<Placed>): Either.Either<Membership, string> => {
  const [event] = unit as readonly [Placed, ...Array<Placed>]
  if (event.stream !== machinesStream || members.root === null) return Either.right(members)
  const signer = event.meta.key ?? ""
  return admit(members, { id: event.id, position: event.position, event, signer, proves, accepts: () => true })
}

/** Whether a unit about who may write is of this log: it was signed under its root. */
const isOfRoot = (unit: ReadonlyArray<Placed>, members: Membership, { were }: Ground): boolean => {
  const [first] = unit as readonly [Placed, ...Array<Placed>]
  if (members.root === null) return true
  // One that is gone on with was written before, and what is here of it is a copy of that, or of another log.
  if (first.type === RootEstablished.type) return false
  const { key } = first.meta
  // Who asks to be let in is not known yet: its request brings the key that it is signed with.
  const asks = first.type === EnrolmentRequested.type
  // Nor may one be that was let in by what does not stand any more: then it is told that this does not, either.
  const known = members.machines.get(key ?? "") ?? were.machines.get(key ?? "")
  const publicKey = asks ? ownKey(first.row, key ?? "") : known?.publicKey
  const bytes = signedBytes(
    unit.map(({ row }) => signedOf(row)),
    members.root.eventId,
  )
  return publicKey !== undefined && holds(publicKey, bytes, first.signature ?? "")
}

/** Somebody put events of other content under these ids into the shared log: ours are written again under new ones. */
const issuedAnew = (connection: Connection, unit: ReadonlyArray<Placed>, author: Author): Standing => {
  const again = resigned(unit)
  const drafts = again.drafts.map((draft) => {
    const id = author.id()
    renameDisplaced(connection, draft.id, id)
    return { ...draft, id }
  })
  return { ...again, drafts }
}

/** The rows that decisions are made on, as they are in the tables. */
const loadWorld = (connection: Connection): Fold => {
  const world = new Fold(decisive)
  for (const projection of decisive) {
    const table = tables.find(({ name }) => name === projection.name) as (typeof tables)[0]
    // Only what a person wrote on the timeline can be changed by one.
    const where = table.name === "infra_events" ? " WHERE source = 'person'" : ""
    const rows = world.rows(projection)
    for (const [json] of connection.prepare(`SELECT ${table.rowAsJson} FROM "${table.name}"${where}`).all()) {
      const row = JSON.parse(json)
      rows.set(row.id, row)
    }
  }
  return world
}
