/**
 * Which events count. The shared log is not trusted: whoever holds its token can append to it. A unit counts only if a machine
 * signed it that is enrolled at that place, and its events fit their shapes. Everything else is inert: kept, chained, told, and
 * never folded. The rule looks at what precedes a unit and at nothing else, so every machine comes to the same answer.
 */
import { definitions } from "@context-engine/core/domain/Events"
import { machinesStream, membershipTypes } from "@context-engine/core/domain/Machine"
import { admit, isAdmin, isEnrolled, type Membership, unaccepted } from "@context-engine/core/domain/Membership"
import { CommandRejected } from "@context-engine/core/domain/Rejection"
import * as Either from "effect/Either"
import { decode, type EventRow } from "../record.js"
import { signedBytes, signedOf } from "../Signer.js"
import { anyUnit, type Chain, chainOf, endOfRun, isRoot, type Link, ownKey, passRefused } from "./chain.js"
import { type Decided, hasTurnedDown, isAccepted } from "./decided.js"
import { alteredIn, counts, inert, isKnown, type Judged, unchainedAt, unproven, wrongIn } from "./judged.js"
import { holds } from "./keys.js"
import { endAfter } from "./links.js"
import { proves } from "./membership.js"
import { notWhole } from "./notWhole.js"
import { type Asked, askedOf, underOther, wasEnrolled } from "./otherRoots.js"
import { misfit } from "./shapes.js"
import { after, alone, type Run, unitAt } from "./unitAt.js"

/** What the rule knows of the log before a unit, and what a person decided here. */
export interface Known {
  readonly membership: Membership
  /** The last unit of a session that is in the log already. */
  readonly link: (machine: string, session: string) => Link | undefined
  /** What a person on this machine decided of roots. */
  readonly decided: Decided
  /** Roots that wait for a person's word. */
  readonly asked?: ReadonlyArray<Asked>
  /** Whether a log that has no root yet may get one without a person's word: where a person takes over the whole of it. */
  readonly acceptsFirst?: boolean
  /** The hash of the last event before, and when that happened as its writer says. */
  readonly hash: string
  readonly statedAt?: string
  /** The signature of the last row before, and how many of the last rows bear it. */
  readonly run?: Run
  /** What was found of signatures beforehand, off this thread: by the signature and the unit's hash. */
  readonly verified?: ReadonlyMap<string, boolean>
  /** Whether this machine signed a unit itself, so that its signature needs no check. */
  readonly trusted?: (first: EventRow) => boolean
}

/** What the chain of a machine's units says beside the verdict. */
export interface Judgement {
  readonly judged: Judged
  readonly rows: ReadonlyArray<EventRow>
  /** The positions at which the hash is not that of the event and what precedes it. */
  readonly unchained: ReadonlyArray<number>
  /** It makes a root that nobody here has accepted. */
  readonly asksToBeRoot?: boolean
  /** A unit that is missing, doubled or out of order, in words. */
  readonly broken?: string
  /** The machine's clock went back since the unit before. */
  readonly clockStep?: boolean
}

/** The reason of what somebody else made up, or put under a signature that is not its own. */
const badSignature = "its signature does not hold"

const standsAlone = "what says who may write stands alone"

/** Goes along the log, unit by unit. */
export class Admission {
  membership: Membership
  readonly #links = new Map<string, Link>()
  readonly #asked: Array<Asked>
  #hash: string
  #statedAt: string
  #run: Run

  constructor(readonly known: Known) {
    this.membership = known.membership
    this.#asked = [...(known.asked ?? [])]
    this.#hash = known.hash
    this.#statedAt = known.statedAt ?? ""
    this.#run = known.run ?? { signature: null, length: 0 }
  }

  /** The last unit of each session that was judged. */
  get links(): ReadonlyMap<string, Link> {
    return this.#links
  }

  /** The units of rows that follow each other. */
  *units(rows: ReadonlyArray<EventRow>): Generator<Judgement> {
    for (let at = 0; at < rows.length; ) {
      const end = endOfRun(rows, at)
      while (at < end) {
        const found = this.#next(rows, at, end)
        yield { ...found, unchained: this.#follows(found.rows) }
        at += found.rows.length
      }
    }
  }

  /** What begins at a row, as far as its signer may say so. What nobody signed as it stands takes nothing with it. */
  #next(rows: ReadonlyArray<EventRow>, at: number, end: number): Omit<Judgement, "unchained"> {
    const first = rows[at] as EventRow
    const before = this.#run.signature === first[11] ? this.#run.length : 0
    const chain = chainOf(first)
    const { isWhole, size } = chain && this.#isHeard(chain.key) ? unitAt(chain, rows, at, end, before) : alone
    const unit = rows.slice(at, at + size)
    if (!isWhole) return { rows: unit, judged: inert(notWhole) }
    const found = this.#judge(unit, chain)
    return found.judged.verdict === "inert" && found.judged.unproven ? { ...found, rows: [first] } : found
  }

  #isHeard(key: string): boolean {
    const { earlier, root } = this.membership
    return root === null || isEnrolled(this.membership, key) || earlier.some((one) => wasEnrolled(one, key))
  }

  /** Goes past rows that are not to be judged, and gives where their chain does not hold. */
  pass(rows: ReadonlyArray<EventRow>): ReadonlyArray<number> {
    for (const row of rows) passRefused(this.#links, row, this.known.link)
    return this.#follows(rows)
  }

  /** Goes on along the chain from what is stored: one wrong hash is found once. */
  #follows(rows: ReadonlyArray<EventRow>): ReadonlyArray<number> {
    const wrong = wrongIn(this.#hash, rows)
    const last = rows[rows.length - 1]
    this.#hash = last?.[10] ?? this.#hash
    this.#statedAt = last?.[8] ?? this.#statedAt
    for (const [, , , , , , , , , , , signature] of rows) this.#run = after(this.#run, signature)
    return wrong
  }

  #judge(unit: ReadonlyArray<EventRow>, chain: Chain | undefined): Omit<Judgement, "unchained"> {
    const first = unit[0] as EventRow
    // Where a log begins is no room for noise: what follows would be taken for a log without a root.
    const altered = first[0] === 1 ? (alteredIn([first]) ?? unchainedAt(this.#hash, first)) : undefined
    if (altered !== undefined) return { rows: unit, judged: altered }
    if (this.membership.root === null && !isRoot(first)) return this.#judgeRootless(unit)
    const found = chain === undefined ? inert("it is not signed") : this.#judgeSigned(unit, chain)
    if (found.verdict !== "counts" || chain === undefined) {
      const asksToBeRoot =
        isRoot(first) && unit.length === 1 && found.verdict === "inert" && this.#isAsked(first, chain)
      if (asksToBeRoot) this.#asked.push(askedOf(first))
      return { rows: unit, judged: found, asksToBeRoot }
    }
    const followed = this.#follow(unit, chain)
    passRefused(this.#links, first, this.known.link)
    return { rows: unit, judged: found, ...followed }
  }

  /** Before there is a root anything counts that is whole and has a shape: that is how logs were, and an unsigned log is. */
  #judgeRootless(unit: ReadonlyArray<EventRow>): Omit<Judgement, "unchained"> {
    const hidden = unit.length > 1 && unit.some(isRoot) ? standsAlone : undefined
    const reason = this.#changedIn(unit) ?? hidden ?? unit.map(misfit).find((found) => found !== undefined)
    // No session can be relied on yet: where any time goes back, that of one may have.
    const clockStep = unit.some((row, index) => row[8] < (unit[index - 1]?.[8] ?? this.#statedAt))
    return { rows: unit, judged: reason === undefined ? counts(unit) : inert(reason), clockStep }
  }

  #judgeSigned(unit: ReadonlyArray<EventRow>, chain: Chain): Judged {
    const [first] = unit as [EventRow]
    const asks = first[2] === machinesStream
    const publicKey =
      this.membership.machines.get(chain.key)?.publicKey ?? (asks ? ownKey(first, chain.key) : undefined)
    const enrolled = isEnrolled(this.membership, chain.key)
    if (!enrolled && !asks) return this.#underOther(unit, chain.key) ?? unproven(this.#unheard(chain.key))
    if (publicKey === undefined) return unproven("it is signed with a key that nobody has enrolled")
    const root = isRoot(first) ? first[1] : (this.membership.root?.eventId ?? "")
    if (!this.#holds(publicKey, unit, root))
      return this.#underOther(unit, chain.key, asks ? publicKey : undefined) ?? unproven(badSignature)
    const altered = alteredIn(unit)
    // Whoever has a key of its own can say anything of itself: that may stop nobody.
    const changed = enrolled ? undefined : this.#changedIn(unit)
    if (changed !== undefined) return inert(changed)
    if (altered !== undefined) return altered
    const reason = unit.map(misfit).find((found) => found !== undefined)
    if (reason !== undefined) return inert(reason)
    if (!asks && unit.some((row) => row[2] === machinesStream)) return inert(standsAlone)
    // It is told in no other: there is room in it for what any other event says.
    if (unit.length > 1 && unit.some((row) => row[4] === CommandRejected.type))
      return inert("what tells of a refusal stands alone")
    return asks ? this.#judgeMembership(unit, chain) : counts(unit)
  }

  /** What is not what its own columns say of it: whoever has the token can put it there. */
  #changedIn(unit: ReadonlyArray<EventRow>): string | undefined {
    if (alteredIn(unit) !== undefined) return "its data is not the data that was written"
    return wrongIn(this.#hash, unit).length > 0 ? "its hash does not hold" : undefined
  }

  #unheard(key: string): string {
    const known = this.membership.machines.get(key)
    if (known === undefined) return "it is signed with a key that nobody has enrolled"
    return known.status === "revoked"
      ? `machine ${known.name} was revoked before`
      : `machine ${known.name} is not enrolled`
  }

  /** Not a forgery, if another root explains it. */
  #underOther(unit: ReadonlyArray<EventRow>, key: string, brought?: string): Judged | undefined {
    const reason = underOther(this.membership, this.#asked, unit, key, brought)
    return reason === undefined ? undefined : inert(reason)
  }

  #holds(publicKey: string, unit: ReadonlyArray<EventRow>, root: string): boolean {
    if (this.known.trusted?.(unit[0] as EventRow)) return true
    const bytes = signedBytes(unit.map(signedOf), root)
    const signature = unit[0]?.[11] ?? ""
    const before = this.known.verified?.get(checkOf(publicKey, bytes, signature))
    return before ?? holds(publicKey, bytes, signature)
  }

  /** What says who may write stands alone, and only this version's shapes of it can be judged. */
  #judgeMembership(unit: ReadonlyArray<EventRow>, chain: Chain): Judged {
    const [row] = unit as [EventRow]
    const known = definitions.get(row[4])
    if (!membershipTypes.has(row[4]) || known === undefined || row[5] > known.schema) {
      if (!isEnrolled(this.membership, chain.key)) return inert(this.#unheard(chain.key))
      // Only a decision of one that may decide is waited for; this holds for every version to come.
      if (!isAdmin(this.membership, chain.key)) return inert("only an admin machine may decide who writes")
      return { verdict: "stop", why: "newer", position: row[0], detail: `${row[4]}@${row[5]}`, row }
    }
    if (unit.length !== 1) return inert(standsAlone)
    if (isRoot(row) && !this.#followsCutoff(row)) return inert("what precedes it is not what its key accepted")
    const event = decode(row)
    const accepts = (root: { readonly eventId: string }) => root.eventId === row[1] && this.#accepts(row)
    if (isRoot(row) && this.membership.root === null && !this.#accepts(row)) {
      // Who has turned one down, or goes by another of that id, waits for none: it is told as in a log that has a root.
      if (hasTurnedDown(this.known.decided) || this.known.decided.has(row[1])) return inert(unaccepted)
      return { verdict: "stop", why: "root", position: row[0], detail: row[1], row }
    }
    const next = admit(this.membership, {
      id: row[1],
      position: row[0],
      event,
      signer: chain.key,
      proves,
      accepts,
    })
    if (Either.isLeft(next)) return inert(next.left)
    this.membership = next.right
    return { verdict: "counts", events: [event], unknown: [] }
  }

  /** The root that begins a log is its root; another one counts only where a person says so. */
  #accepts(row: EventRow): boolean {
    if (row[0] === 1 || isAccepted(this.known.decided, row)) return true
    return this.known.acceptsFirst === true && this.membership.root === null && !hasTurnedDown(this.known.decided)
  }

  /** Whether a person may have to answer: a key of its own signed it, and it follows what is here. */
  #isAsked(row: EventRow, chain: Chain | undefined): boolean {
    const publicKey = chain && ownKey(row, chain.key)
    if (publicKey === undefined || !this.#holds(publicKey, [row], row[1]) || misfit(row) !== undefined) return false
    // What a root of a newer version says, only that can ask about.
    if (!isKnown(row[4], row[5])) return false
    if (alteredIn([row]) !== undefined || wrongIn(this.#hash, [row]).length > 0) return false
    return this.#followsCutoff(row) && !this.#accepts(row)
  }

  /** A root names the event before it, so that nobody can put another past before it. */
  #followsCutoff(row: EventRow): boolean {
    const { hash, position } = JSON.parse(row[6]).cutoff
    return position === row[0] - 1 && hash === this.#hash
  }

  /** Holds a unit against the one before it in its session. */
  #follow(unit: ReadonlyArray<EventRow>, chain: Chain): Pick<Judgement, "broken" | "clockStep"> {
    const id = `${chain.key} ${chain.session}`
    const before = this.#links.get(id) ?? this.known.link(chain.key, chain.session)
    const root = isRoot(unit[0] as EventRow) ? (unit[0] as EventRow)[1] : (this.membership.root?.eventId ?? "")
    const end = endAfter(before, unit, chain, root)
    const expected = (before?.number ?? 0) + 1
    this.#links.set(id, end)
    const clockStep = before !== undefined && end.occurredAt < before.occurredAt
    const name = this.membership.machines.get(chain.key)?.name ?? chain.key
    if (chain.number > expected)
      return { clockStep, broken: `${chain.number - expected} of what ${name} wrote before it is missing` }
    // What somebody told as refused in its place may come all the same.
    const isPassed = before?.unit === anyUnit && chain.number === before.number
    if (chain.number < expected && !isPassed)
      return {
        clockStep,
        broken: `${name} has written unit ${chain.number} of a session before: its key is in two places, or what it wrote was put in another order`,
      }
    if (before?.unit !== anyUnit && chain.previous !== (before?.unit ?? ""))
      return { clockStep, broken: `what ${name} wrote before it is not what is there` }
    return { clockStep }
  }
}

/** By what the check of a unit's signature is found again. */
export const checkOf = (publicKey: string, bytes: Buffer, signature: string): string =>
  `${publicKey} ${bytes.toString("base64")} ${signature}`
