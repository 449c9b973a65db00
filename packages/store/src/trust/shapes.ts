/** Whether an event has the shape that its type says, whoever sent it. */
import { canonicalJson } from "@context-engine/core/CanonicalJson"
import { definitions } from "@context-engine/core/domain/Events"
import { CommandRejected, rejection } from "@context-engine/core/domain/Rejection"
import { upcasts } from "@context-engine/core/domain/Upcasts"
import type { Definition } from "@context-engine/core/Event"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import { type EventRow, isLonger, mostData, mostMeta, mostRefusal } from "../record.js"
import { keyId } from "./keys.js"
import type { Draft } from "./sealing.js"

/** How deep data may be nested, and how much it may be: in a refusal there is room for what it is about. */
const ordinary = { deepest: 64, most: mostData }
const ofRefusal = { deepest: 68, most: mostRefusal }

/** Why a row cannot be folded, in words; `undefined` if it can. A type or shape of a later version is not looked into. */
export const misfit = (row: EventRow): string | undefined => {
  const [, id, stream, , type, schema, data, meta, occurredAt] = row
  if (meta.length > mostMeta) return "it is too large"
  return misfitOf({ id, stream, type, schema, data, occurredAt }, saysWho(meta))
}

/** The same of what is not a row yet; `saysWho` tells whether its meta is one. */
export const misfitOf = (
  { data, id, occurredAt, schema, stream, type }: Omit<Draft, "meta">,
  saysWho: boolean,
): string | undefined => {
  if (!isName(id) || !isName(stream) || !isName(type)) return "its id, stream or type is none"
  if (!isInstant(occurredAt)) return "its time is none"
  if (!Number.isSafeInteger(schema) || schema < 1) return "its shape has no number"
  const isRefusal = type === CommandRejected.type && schema <= CommandRejected.schema
  if (isRefusal && !stream.startsWith(`${rejection.name}-`)) return "what tells of a refusal has a stream of its own"
  const { deepest, most } = isRefusal ? ofRefusal : ordinary
  if (isLonger(data, most)) return tooLong
  const body = read(data, deepest)
  if (body === undefined) return "its data is not JSON, or nested too deeply"
  if (!saysWho) return "it does not say who did it"
  return wrongData(definitions.get(type), schema, body.value)
}

const tooLong = "it is too long: a shared log takes an event of at most 3.9 MB"

/** Validated by the schema of its type, in today's shape. */
const wrongData = (
  definition: Definition<string, any> | undefined,
  schema: number,
  data: unknown,
): string | undefined => {
  if (definition === undefined || schema > definition.schema) return undefined
  try {
    const steps = upcasts.get(definition.type)?.slice(schema - 1) ?? []
    const lifted = steps.reduce((value, step) => step(value), data)
    const found = validator(definition)(lifted)
    if (Either.isLeft(found)) return `its data does not fit ${definition.type}`
    return keysIn(lifted as NamedKey).every(isNamedByItself) ? undefined : "it calls a key by an id that is another's"
  } catch {
    return `its data does not fit ${definition.type}`
  }
}

interface NamedKey {
  readonly machineId?: string
  readonly publicKey?: string
  readonly machines?: ReadonlyArray<NamedKey>
}

/** The keys that it makes known, each with the id that it goes by. */
const keysIn = (data: NamedKey): ReadonlyArray<NamedKey> => [data, ...(data.machines ?? [])]

/** An id is made of its key, so that it can be no other's. */
const isNamedByItself = ({ machineId, publicKey }: NamedKey): boolean =>
  machineId === undefined || publicKey === undefined || keyId(publicKey) === machineId

const validators = new Map<string, (data: unknown) => Either.Either<unknown, unknown>>()

const validator = (definition: Definition<string, any>) => {
  const known = validators.get(definition.type)
  if (known !== undefined) return known
  const made = ParseResult.validateEither(definition.data)
  validators.set(definition.type, made)
  return made
}

const read = (text: string, deepest: number): { readonly value: unknown } | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return isShallow(value, deepest) ? { value } : undefined
  } catch {
    return undefined
  }
}

const isShallow = (value: unknown, left: number): boolean => {
  if (value === null || typeof value !== "object") return true
  if (left === 0) return false
  for (const member of Object.values(value)) if (!isShallow(member, left - 1)) return false
  return true
}

/** The events of a unit have one meta, nearly always: it is looked into once. */
let lastMeta = { text: "", isOne: false }

const saysWho = (text: string): boolean => {
  if (text !== lastMeta.text) lastMeta = { text, isOne: isWritten(text, read(text, ordinary.deepest)?.value) }
  return lastMeta.isOne
}

/** As this program writes one: of a member that is said twice, the database would read the other one. */
const isWritten = (text: string, meta: unknown): boolean =>
  isMeta(meta) && (JSON.stringify(meta) === text || canonicalJson(meta) === text)

/** Whether it says who did something, through which frontend, where and by which command. */
export const isMeta = (meta: unknown): boolean => {
  if (meta === null || typeof meta !== "object") return false
  const { actor, commandId, key, machine, via } = meta as Record<string, unknown>
  return [actor, commandId, machine, via, key ?? ""].every(isShort)
}

const isShort = (text: unknown): boolean => typeof text === "string" && text.length <= 500

/** Whether a text can name an event, its type or its stream: it is the same text in every program and on every machine. */
export const isName = (text: unknown): boolean => typeof text === "string" && /^(?!inert-)[ -~]{1,300}$/.test(text)

/** Times are compared as texts, which is right as long as their years have four digits. */
const isInstant = (text: string): boolean => {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/.test(text)) return false
  return !Number.isNaN(Date.parse(text))
}
