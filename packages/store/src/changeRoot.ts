/** What a person on this machine says of the roots of its log: it begins one, goes to one, or goes back to one that counted before. */
import { isAdmin } from "@context-engine/core/domain/Membership"
import { InvalidInput } from "@context-engine/core/Errors"
import type { Meta } from "@context-engine/core/Event"
import type { Connection } from "./connection.js"
import type { Signer } from "./Signer.js"
import { readHead } from "./standing.js"
import { author } from "./sync/author.js"
import { judgedUntil, readTail, rebase, rejudge } from "./sync/rebase.js"
import { readState } from "./sync/state.js"
import { candidates } from "./trust/candidates.js"
import { acceptRoot, turnDownRoots } from "./trust/decided.js"
import { goBy } from "./trust/lineage.js"
import { readMembership } from "./trust/membership.js"
import { nameOf } from "./trust/names.js"
import { rootDraft } from "./trust/sealing.js"
import { type Pending, rootsAfter } from "./trust/verdicts.js"

/** Puts the root where this machine's own part of the log begins, and signs that part under it. `keep`: members are enrolled beside it. */
export const begin = (
  connection: Connection,
  signer: Signer,
  origin: Omit<Meta, "commandId">,
  keep: boolean,
): InvalidInput | undefined => {
  const state = readMembership(connection)
  if (isAdmin(state, signer.id)) {
    const reason =
      "this machine is an admin of this log and says already who may write to it (machine approve, revoke, sync invite); another root is only for a log whose admin keys are lost"
    return new InvalidInput({ field: "", reason })
  }
  const { confirmed, logId } = readState(connection)
  const base = logId === null ? readHead(connection) : confirmed
  const writer = author(signer)
  const meta = { ...origin, commandId: writer.id() }
  const others = keep ? candidates(connection, signer) : []
  const lineage = rootsAfter(connection, 0)
    .filter(({ position }) => position <= base.position)
    .map(({ eventId }) => eventId)
  // It is called what it was called before.
  const name = state.machines.get(signer.id)?.name ?? nameOf(connection, signer.id) ?? signer.name
  const draft = rootDraft({ ...signer, name }, { meta, occurredAt: writer.now() }, base, others, lineage)
  rebase(connection, base, readTail(connection, base.position), undefined, writer, [draft])
  acceptRoot(connection, { eventId: draft.id, publicKey: signer.publicKey })
  return undefined
}

/** From its place on a root says who may write, with those that its machine went by before it, and no others. */
export const goTo = (connection: Connection, root: Pending, signer: Signer | undefined): void => {
  const from = goBy(connection, root)
  if (from <= judgedUntil(connection)) rejudge(connection, from, author(signer))
}

/** What came after a root that counted before was a mistake: those roots count no more, and what is under them is decided anew. */
export const goBackTo = (connection: Connection, { position }: Pending, signer: Signer | undefined): void => {
  const later = rootsAfter(connection, position)
  turnDownRoots(
    connection,
    later.map(({ eventId }) => eventId),
  )
  rejudge(connection, Math.min(...later.map((one) => one.position)), author(signer))
}
