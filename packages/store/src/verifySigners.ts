/** Whose events a log holds. Those older than its root are checked here: their keys joined by themselves, and each append has one signature. */
import type { Member, Membership } from "@context-engine/core/domain/Membership"
import type { Recorded } from "@context-engine/core/Event"
import type { MachineReport } from "@context-engine/core/services/Audit"
import type { EventRow } from "./record.js"
import { signedOf, verifies } from "./Signer.js"
import { claimedKey } from "./trust/chain.js"
import { keyId } from "./trust/keys.js"

type Known = Pick<Member, "machineId" | "name" | "publicKey">

export class Signers {
  readonly machines = new Map<string, MachineReport & { readonly publicKey: string }>()
  signed = 0
  unsigned = 0
  /** What was signed before there was a root, by a key that had not joined. */
  readonly #strangers: Array<ReadonlyArray<EventRow>> = []

  /** `find` is told what does not hold. */
  constructor(readonly find: (position: number, message: string) => void) {}

  /** Counts events whose signature is a machine's. */
  credit({ machineId, name, publicKey }: Known, count: number): void {
    this.signed += count
    const events = (this.machines.get(machineId)?.events ?? 0) + count
    this.machines.set(machineId, { machineId, name, publicKey, events })
  }

  /** A machine that joins by itself. One that lost its file and began anew joins again. */
  meet({ data, position }: Recorded<any>): void {
    const { machineId, name, publicKey } = data
    if (keyId(publicKey) !== machineId)
      this.find(position, `the key at position ${position} is not that of machine ${machineId}`)
    this.credit({ machineId, name, publicKey }, 0)
  }

  /** Events older than a root: those of one append carry one signature over all of them, by a key that joined by itself. */
  checkOlder(append: ReadonlyArray<EventRow>): void {
    const [first] = append
    if (first === undefined) return
    const signature = first[11]
    if (signature === null) {
      this.unsigned += append.length
      return
    }
    const key = claimedKey(first)
    const author = [...this.machines.values()].find(({ publicKey }) =>
      verifies(publicKey, append.map(signedOf), signature, key === undefined ? undefined : ""),
    )
    if (author === undefined) this.#strangers.push(append)
    else this.credit(author, append.length)
  }

  /**
   * A key that a root enrols afterwards is known all the same: the root accepts what precedes it. In a log that is shared anybody with
   * its token could write before there was a root, and a signature that is nobody's shows as much as none; in one that never was,
   * somebody changed what a machine wrote.
   */
  judgeStrangers({ machines }: Membership, isShared: boolean): void {
    for (const append of this.#strangers) {
      const [first] = append as [EventRow]
      const member = machines.get(claimedKey(first) ?? "")
      if (member !== undefined && verifies(member.publicKey, append.map(signedOf), first[11] as string, ""))
        this.credit(member, append.length)
      else if (isShared) this.unsigned += append.length
      else this.#tellStranger(append)
    }
  }

  /** What waits here beside a signed log: it counts on this machine, so it has to be what a machine wrote. `root` names the log. */
  checkWaiting(run: ReadonlyArray<EventRow>, member: Known | undefined, root: string): void {
    const [first] = run as [EventRow]
    const [position, signature] = [first[0], first[11]]
    if (signature === null) {
      const message = `what stands at ${where(run)} is not signed, and this log is: it counts on this machine alone, and nobody can say who wrote it`
      this.find(position, message)
      return
    }
    const holds = ({ publicKey }: Known) =>
      ["", root].some((of) => verifies(publicKey, run.map(signedOf), signature, of))
    if (member !== undefined && !holds(member))
      this.find(position, `the signature at ${where(run)} is not that of ${member.name}, whom it names`)
  }

  #tellStranger(append: ReadonlyArray<EventRow>): void {
    const [first] = append as [EventRow]
    this.find(
      first[0],
      `the signature at ${where(append)} is that of no machine in this log: the content was changed, or it is not from where it says`,
    )
  }
}

const where = (rows: ReadonlyArray<EventRow>): string => {
  const [first] = rows as [EventRow]
  return rows.length === 1 ? `position ${first[0]}` : `positions ${first[0]} to ${rows[rows.length - 1]?.[0]}`
}
