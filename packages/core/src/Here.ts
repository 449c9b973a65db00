/** Which machine this is: a server that is local to one machine is out of reach from every other. A frontend provides it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { nobody, Origin } from "./Origin.js"
import type { ServerRow } from "./views/servers.js"

/** A machine as events name it. */
export interface Identity {
  /** The id of its key; `undefined` where it signs nothing, empty where its key is yet to be made. */
  readonly key: string | undefined
  /** Its host name, which tells nothing apart that has a key. */
  readonly machine: string
  /** Where its key is kept, if that is a file. */
  readonly keyFile?: string
}

/** Unless it is provided, the machine is the one that commands come from, and its key is not known. */
export class Here extends Context.Reference<Here>()("@context-engine/core/Here", {
  defaultValue: (): Effect.Effect<Identity> => Effect.map(Origin, ({ machine }) => ({ key: undefined, machine })),
}) {}

/**
 * Whether a server is this machine: it is local, and the machine that said so is this one. The key decides where both are known,
 * else the host name: events did not always name a key. Where nobody said which machine it was, it is taken for this one.
 */
export const isHere = (server: Pick<ServerRow, "local" | "localKey" | "localMachine">, here: Identity): boolean => {
  if (!server.local) return false
  if (server.localKey !== null && here.key !== undefined) return server.localKey === here.key
  if (server.localMachine === null || server.localMachine === nobody || here.machine === nobody) return true
  return server.localMachine === here.machine
}

/**
 * Whether a server is local because this machine said so. More is asked than for `isHere`: a host name alone is enough only where no
 * key is known, so that what an older event left open can be said for certain.
 */
export const isSaidBy = (
  server: Pick<ServerRow, "local" | "localKey" | "localMachine">,
  { key, machine }: Identity,
): boolean =>
  server.local &&
  (key ? server.localKey === key : server.localMachine === machine && (key === undefined || server.localKey === null))

/** The machine that a server is local to, in words: as the log calls it now, by its key, else as it called itself then. */
export const localTo = (
  { localKey, localMachine }: Pick<ServerRow, "localKey" | "localMachine">,
  here: Identity,
  names: ReadonlyMap<string, string> = new Map(),
): string => {
  const name = names.get(localKey ?? "") ?? localMachine
  if (name === null || name === nobody) return `another machine${localKey === null ? "" : ` (key ${localKey})`}`
  return name === here.machine ? `another machine called ${name} (key ${localKey})` : name
}
