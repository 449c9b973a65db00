/** Can the log be believed? Walks the chain, checks signatures, and compares every live row with one folded anew. */

import { definitions } from "@context-engine/core/domain/Events"
import { isEnrolled, isOfWaitingRoot, nobody } from "@context-engine/core/domain/Membership"
import type { Recorded } from "@context-engine/core/Event"
import { Fold, findClash } from "@context-engine/core/Fold"
import type { Finding, WithheldReport } from "@context-engine/core/services/Audit"
import { claimed } from "@context-engine/core/services/Sync"
import { projections } from "@context-engine/core/views/all"
import { clashes, decode, type EventRow, genesis, matchesDigest, notYet } from "./record.js"
import { claimsOf } from "./sync/status.js"
import { Admission } from "./trust/Admission.js"
import { coveredBy } from "./trust/acknowledged.js"
import { claimedKey, isRoot } from "./trust/chain.js"
import { isAccepted } from "./trust/decided.js"
import { alone, type Setting } from "./verifySetting.js"
import { Signers } from "./verifySigners.js"

/** So many of each kind are told: whoever holds the token can make any number of some, and hides none of the others by it. */
const limit = 100

/** The walk along the log, fed one row at a time in the order of positions. */
export class Walk {
  readonly findings: Array<Finding> = []
  readonly #found = new Map<Finding["kind"], number>()
  readonly unknownTypes: Record<string, number> = {}
  readonly fold = new Fold(projections)
  readonly head = { position: 0, hash: genesis }
  readonly inert: Array<{
    readonly position: number
    readonly id: string
    readonly reason: string
    readonly claims: string
  }> = []
  readonly breaks: Array<{ readonly position: number; readonly id: string; readonly message: string }> = []
  events = 0
  /** What waits here under keys that may not write, by their ids. */
  readonly withheld = new Map<string, Omit<WithheldReport, "own">>()
  readonly #signers = new Signers((position, message) => this.find("signature", position, message))
  #versions = new Map<string, number>()
  /** Rows of one signature, which may be a unit. */
  #run: Array<EventRow> = []
  /** Rows of that which are older than the log's root. */
  #older: Array<EventRow> = []
  #recordedAt = ""
  readonly #inertUnchained: Array<number> = []
  /** What had not happened at the moment that the file shows. */
  readonly #later = new Set<number>()
  readonly #admission: Admission

  constructor(readonly setting: Setting = alone) {
    this.#admission = new Admission({
      membership: nobody,
      link: () => undefined,
      decided: setting.decided,
      acceptsFirst: setting.confirmed === undefined,
      hash: genesis,
    })
  }

  get membership() {
    return this.#admission.membership
  }

  get machines() {
    return this.#signers.machines
  }

  get signed() {
    return this.#signers.signed
  }

  get unsigned() {
    return this.#signers.unsigned
  }

  next(row: EventRow): void {
    this.events += 1
    this.#checkPlace(row)
    // Go on from what is stored: one change is found once, not at every event after it.
    this.head.position = row[0]
    this.head.hash = row[10]
    if (this.#run.length > 0 && (row[11] === null || this.#run[0]?.[11] !== row[11])) this.#judgeRun()
    this.#run.push(row)
  }

  /** To be called after the last row. */
  end(): void {
    this.#judgeRun()
    this.#signers.judgeStrangers(this.membership, this.setting.confirmed !== undefined)
    this.#tellInert()
    this.#compareKept()
  }

  /** What is kept of the rule's answers must be those answers. */
  #compareKept(): void {
    const kept = this.setting.inert
    if (kept === undefined) return
    const found = new Set(this.inert.map(({ position }) => position))
    for (const position of kept.keys())
      if (!this.#later.has(position) && !found.has(position))
        this.find(
          "damage",
          position,
          `the event at position ${position} counts, and is kept as one that counts for nothing`,
        )
    for (const position of found)
      if (!kept.has(position))
        this.find(
          "damage",
          position,
          `the event at position ${position} counts for nothing, and is kept as one that counts`,
        )
  }

  find(kind: Finding["kind"], position: number | null, message: string): void {
    const before = this.#found.get(kind) ?? 0
    this.#found.set(kind, before + 1)
    if (before < limit) this.findings.push({ kind, position, message })
  }

  #checkPlace(row: EventRow): void {
    const [position, , stream, version] = row
    const expected = this.head.position + 1
    if (position !== expected) {
      const missing =
        position - expected === 1 ? `position ${expected} is` : `positions ${expected} to ${position - 1} are`
      this.find("gap", expected, `${missing} missing`)
    }
    const next = (this.#versions.get(stream) ?? 0) + 1
    if (version !== next) {
      this.find(
        "stream",
        position,
        `the event at position ${position} is version ${version} of ${stream}, where ${next} should be`,
      )
    }
    this.#versions.set(stream, version)
    // The shared log's clock never goes back. This machine's own may, and its events say so themselves.
    if (this.setting.inert?.has(position)) return
    if (row[9] < this.#recordedAt && position <= (this.setting.confirmed ?? 0))
      this.find("chain", position, `the event at position ${position} was recorded before the one before it`)
    this.#recordedAt = row[9]
  }

  /** Judges what one signature spans, and folds what counts. */
  #judgeRun(): void {
    const run = this.#run
    this.#run = []
    const [first] = run
    if (first === undefined) return
    if (this.#isWaiting(first)) {
      this.#takeOwn(run)
      return
    }
    for (const { broken, judged, rows, unchained } of this.#admission.units(run)) {
      const altered = rows.filter((row) => !matchesDigest(row)).map((row) => row[0])
      for (const position of new Set([...unchained, ...altered]))
        if (judged.verdict === "inert") this.#inertUnchained.push(position)
        else this.#tellUnchained(position)
      if (broken !== undefined)
        this.breaks.push({ position: rows[0]?.[0] ?? 0, id: rows[0]?.[1] ?? "", message: broken })
      if (judged.verdict === "counts") this.#count(rows, judged.events)
      else if (judged.verdict === "inert") this.#leaveOut(rows, judged.reason)
      else this.find("signature", judged.position, stopped(judged))
    }
    // Before there were roots an event did not say what it is part of: one signature spans an append.
    this.#signers.checkOlder(this.#older)
    this.#older = []
  }

  #tellUnchained(position: number): void {
    const message = `the event at position ${position} is not the one that was written here: its hash does not hold`
    this.find("chain", position, message)
  }

  /** What a machine that is not enrolled yet wrote here waits, and counts on this machine alone. */
  #isWaiting(first: EventRow): boolean {
    const { confirmed } = this.setting
    if (confirmed === undefined || first[0] <= confirmed) return false
    // A root that was begun here says who may write from there on.
    if (isRoot(first) && isAccepted(this.setting.decided, first)) return false
    const key = claimedKey(first)
    return key === undefined || !isEnrolled(this.membership, key)
  }

  #takeOwn(run: ReadonlyArray<EventRow>): void {
    const [first] = run as [EventRow]
    const { machines, root } = this.membership
    const machineId = claimedKey(first) ?? ""
    const member = machines.get(machineId)
    if (root !== null) this.#signers.checkWaiting(run, member, root.eventId)
    if (first[11] === null) this.#signers.unsigned += run.length
    else {
      const events = (this.withheld.get(machineId)?.events ?? 0) + run.length
      const because = member?.status === "revoked" ? "revoked" : "waiting"
      this.withheld.set(machineId, { machineId, name: member?.name ?? null, events, because })
    }
    for (const position of this.#admission.pass(run)) this.#tellUnchained(position)
    for (const row of run) this.#foldIn(row)
  }

  #foldIn(row: EventRow): void {
    try {
      this.#fold(decode(row))
    } catch (error) {
      this.find("damage", row[0], (error as Error).message)
    }
  }

  #fold(event: Recorded): void {
    if (!definitions.has(event.type)) this.unknownTypes[event.type] = (this.unknownTypes[event.type] ?? 0) + 1
    this.fold.apply(event)
  }

  #count(rows: ReadonlyArray<EventRow>, events: ReadonlyArray<Recorded>): void {
    const [first] = rows as [EventRow]
    const kept = this.setting.inert?.get(first[0])
    if (this.setting.replayed !== null && (kept === notYet || kept === clashes)) {
      for (const row of rows) this.#later.add(row[0])
      return
    }
    if (kept === clashes && this.#clash(events)) {
      this.#leaveOut(rows, clashes)
      return
    }
    for (const event of events) {
      if (event.type === "MachineJoined") this.#signers.meet(event as Recorded<any>)
      this.#fold(event)
    }
    const key = claimedKey(first)
    const member = this.membership.machines.get(key ?? "")
    if (this.membership.root === null || key === undefined || member === undefined) {
      this.#older.push(...rows)
      return
    }
    this.#signers.credit(member, rows.length)
  }

  /** Whether events cannot be folded beside what is there. What they did is taken back. */
  #clash(events: ReadonlyArray<Recorded>): boolean {
    const before = new Map([...this.fold.tables].map(([name, rows]) => [name, new Map(rows)]))
    try {
      for (const event of events) this.fold.apply(event)
      return projections.some((projection) => findClash(projection, this.fold.rows(projection)) !== undefined)
    } catch {
      return true
    } finally {
      for (const [name, rows] of before) this.fold.tables.set(name, rows)
    }
  }

  #leaveOut(rows: ReadonlyArray<EventRow>, reason: string): void {
    for (const row of rows)
      this.inert.push({ position: row[0], id: row[1], reason, claims: claimsOf(row[7].slice(0, 2000)) })
  }

  /** What nobody has acknowledged is told: it may have been meant to count. */
  #tellInert(): void {
    const troubles = [
      ...this.inert.map((one) => ({ ...one, what: "inert" as const })),
      ...this.breaks.map((one) => ({ ...one, what: "break" as const })),
    ]
    const after = coveredBy(this.membership, troubles)
    // What waits for a person's word comes first: no number of others keeps it from being told.
    const asks = this.inert.filter(({ reason }) => isOfWaitingRoot(reason))
    for (const { claims, position, reason } of new Set([...asks, ...this.inert])) {
      if (position <= after) continue
      const message = `the event at position ${position} counts for nothing: ${reason} (it says it is by ${claimed(claims)})`
      this.find("inert", position, message)
    }
    // In a shared log what counts for nothing may say any hash; in one that never was shared, somebody changed it.
    if (this.setting.confirmed === undefined)
      for (const position of this.#inertUnchained) if (position > after) this.#tellUnchained(position)
    for (const { message, position } of this.breaks)
      if (position > after) this.find("sequence", position, `at position ${position}: ${message}`)
    const farthest = Math.max(0, ...this.membership.acknowledged.map(({ until }) => until))
    if (troubles.some(({ position }) => position > after && position <= farthest))
      this.find("inert", farthest, notThese(farthest))
  }
}

const notThese = (until: number) =>
  `an admin acknowledged what counted for nothing up to position ${until}, and these are other places: something before was changed or taken out since, or comes from another state of the log`

const stopped = ({
  detail,
  position,
  why,
}: {
  readonly why: string
  readonly position: number
  readonly detail: string
}) => {
  if (why === "altered") return `the data at position ${position} is not the data that was signed`
  return why === "root"
    ? `at position ${position} a machine began a root of this log that no person here has accepted`
    : `what stands at position ${position} says who may write in a way that only a newer version knows (${detail})`
}
