/** A host that shows another key than the one that is pinned for it: what leads on from there, wherever that is told. */
import * as Either from "effect/Either"
import { RemoteError } from "../Errors.js"
import { nobody } from "../Origin.js"
import { word } from "../Shell.js"
import type { ServerRow } from "../views/servers.js"
import { type Seen, targetOf } from "./targets.js"

/** The address of the host that it is about, where a reason says that a host key has changed. */
const changedAt = (reason: string): string | undefined =>
  /the host key of (\S+) has changed: it shows/.exec(reason)?.[1]

/**
 * The command that forgets the pins which a server was refused by: a jump host's are the jump host's, and one address may be that of
 * several servers. `undefined` where the reason is another, or they are forgotten by now.
 */
export const trustAnew = (reason: string, server: Pick<ServerRow, "id">, seen: Seen): string | undefined => {
  const address = changedAt(reason)
  const row = seen.all.find(({ id }) => id === server.id)
  if (address === undefined || row === undefined) return undefined
  const to = Either.getOrUndefined(targetOf(row, seen))
  if (to?._tag !== "Ssh") return undefined
  const pins = to.hostKeys.filter((pin) => pin.address === address)
  const holders = seen.all.filter(({ hostKeys }) => hostKeys.some((key) => pins.includes(key)))
  if (holders.length === 0) return undefined
  return holders.map(({ name }) => `context infra server trust ${word(name)}`).join("; ")
}

/** The same of what the log says, which asks nobody which machine this is. */
export const trustAnewFrom = (row: ServerRow, all: ReadonlyArray<ServerRow>): string | undefined =>
  row.statusReason === null
    ? undefined
    : trustAnew(row.statusReason, row, { all, here: { key: undefined, machine: nobody } })

/** The error with what leads on. */
export const withWayOut = (error: RemoteError, server: ServerRow, seen: Seen): RemoteError => {
  const next = trustAnew(error.message, server, seen)
  if (next === undefined) return error
  const { cause, host, message, reason } = error
  const onlyIf = "Only if it was set up anew, and says the same itself (ssh-keygen -lf /etc/ssh/ssh_host_*.pub there)"
  return new RemoteError({ reason, host, message: `${message}. ${onlyIf}: ${next}`, cause })
}
