/** Refused commands that make a server local: they mean the machine that gave them, whoever gives them again. */

import * as Effect from "effect/Effect"
import { CommandRejected, type Original, rejection } from "../../domain/Rejection.js"
import { InvalidInput, type StorageError } from "../../Errors.js"
import type { Meta } from "../../Event.js"
import type { EventLog } from "../../EventLog.js"
import { localTo } from "../../Here.js"
import { Origin } from "../../Origin.js"
import type { RejectionRow } from "../../views/rejections.js"
import { servers } from "../../views/servers.js"
import { entities } from "./entities.js"

/** The first event of a refused command by which a server becomes this machine; `undefined` if none does. */
export const saysLocal = ({ events }: Pick<RejectionRow, "events">): Original | undefined =>
  events.find(({ data, type }) => {
    const said = data as { readonly local?: unknown; readonly changes?: { readonly local?: unknown } } | null
    return entities.get(type)?.kind.view === servers && (said?.local === true || said?.changes?.local === true)
  })

/** The key that says in the log that a command could not stand; `undefined` where that is not signed. */
export const tellerOf = (log: EventLog["Type"], id: string): Effect.Effect<string | undefined, StorageError> =>
  Effect.map(
    log.read(`${rejection.name}-${id}`),
    (events) => events.find(({ type }) => type === CommandRejected.type)?.meta.key,
  )

/**
 * Refuses to give a command again here that makes a server local to another machine. That it is of this one is believed only where this
 * one told of it: what others say that it wrote, they could have made up.
 */
export const refuseElsewhere = (log: EventLog["Type"], row: RejectionRow, own: string | undefined) =>
  Effect.gen(function* () {
    const event = saysLocal(row)
    if (event === undefined) return
    const { key, machine } = (event.meta ?? {}) as Partial<Meta>
    const origin = yield* Origin
    const teller = yield* tellerOf(log, row.id)
    if (teller === own && (key === undefined ? machine === origin.machine : key === own)) return
    const names = yield* log.machineNames
    const name = String((event.data as { readonly name?: unknown }).name)
    const said = { localKey: key ?? null, localMachine: machine ?? null }
    const whose = localTo(said, { key: own, machine: origin.machine }, names)
    const reason = `${row.what}: it makes server ${name} local to ${whose}, and no other machine can say that`
    const command = event.type.endsWith("Added") ? `add ${name} --local` : `update ${name} --local yes`
    const anew = `on the machine that is meant: context infra server ${command}, and let this go with context infra sync rejected drop ${row.id}`
    const mayBeThere = key !== undefined && key === teller && names.has(key)
    const way = mayBeThere
      ? `on ${whose}: context infra sync rejected retry ${row.id}; or, where that cannot be done any more, ${anew}`
      : anew
    return yield* new InvalidInput({ field: "", reason: `${reason}; ${way}` })
  })
