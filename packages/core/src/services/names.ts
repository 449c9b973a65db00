/** From the names people type to the rows they mean. A wrong name suggests the nearest; an ambiguous one lists the choices. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Ambiguous, NotFound, type StorageError } from "../Errors.js"
import type { View, Views } from "../ReadModels.js"
import type { ServerRow } from "../views/servers.js"
import type { ServiceRow } from "../views/services.js"

/** A service and the server it runs on. */
export interface Placed {
  readonly service: ServiceRow
  readonly server: ServerRow
}

/** The server of a name, or of an id or its beginning. */
export const findServer = (
  models: Views,
  name: string,
): Effect.Effect<ServerRow, NotFound | Ambiguous | StorageError> =>
  Effect.flatMap(models.servers.list({ where: { name } }), ([row]) =>
    row !== undefined && !beginsId(name)
      ? Effect.succeed(row)
      : Effect.flatMap(models.servers.list(), (all) => named("server", name, all, called, unmistakable)),
  )

const called = ({ name }: { readonly name: string }): string => name

/** Its name, unless that can be taken for an id. */
const unmistakable = ({ id, name }: { readonly id: string; readonly name: string }): string =>
  beginsId(name) ? id : name

/**
 * The one thing that has a text for the beginning of its id, or that is called so, which `called` tells. Something may have been
 * given a name so as to be taken for another thing: where one is called what another's id begins with, neither is meant. `shown`
 * tells them apart, for whoever has to say which.
 */
export const named = <A extends { readonly id: string }>(
  entity: string,
  text: string,
  all: ReadonlyArray<A>,
  called: (one: A) => string,
  shown: (one: A) => string = (one) => `${one.id} (${called(one)})`,
): Effect.Effect<A, NotFound | Ambiguous> => {
  const found = all.filter((one) => called(one) === text || hasId(one.id, text))
  if (found.length > 1) return new Ambiguous({ entity, name: text, candidates: some(found.map(shown)) })
  return found[0] === undefined ? missing(entity, text, all.map(called)) : Effect.succeed(found[0])
}

/** So many are named where a text fits more. */
const most = 10

/** The first of many, and how many there are. */
export const some = (all: ReadonlyArray<string>): ReadonlyArray<string> =>
  all.length <= most ? all : [...all.slice(0, most), `another of ${all.length}`]

/** Whether a text can be meant for an id: its first eight digits, or more of it. */
export const beginsId = (text: string): boolean => /^[0-9a-f]{8}(?:-[0-9a-f-]*)?$/i.test(text)

/** Whether a text is meant for an id. */
export const hasId = (id: string, text: string): boolean => beginsId(text) && id.startsWith(text.toLowerCase())

/** The row of an id among those there are. */
export const withId = <A extends { readonly id: string }, E>(
  entity: string,
  rows: Effect.Effect<ReadonlyArray<A>, E>,
  id: string,
): Effect.Effect<A, NotFound | E> =>
  Effect.flatMap(rows, (all) => {
    const found = all.find((row) => row.id === id)
    return found === undefined ? missing(entity, id, []) : Effect.succeed(found)
  })

/** The servers of some names, each once though it is named twice. */
export const findServers = (models: Views, names: ReadonlyArray<string>) =>
  Effect.map(
    Effect.forEach([...new Set(names)], (name) => findServer(models, name)),
    once,
  )

/** The same of services. */
export const findServices = (models: Views, names: ReadonlyArray<string>) =>
  Effect.map(
    Effect.forEach([...new Set(names)], (name) => findService(models, name)),
    (found) => {
      const ids = once(found.map(({ service }) => service))
      return ids.map(({ id }) => found.find(({ service }) => service.id === id) as Placed)
    },
  )

const once = <A extends { readonly id: string }>(all: ReadonlyArray<A>): ReadonlyArray<A> => [
  ...new Map(all.map((one) => [one.id, one])).values(),
]

/** The service of a name: `api` where only one server has one, else `server/api`; or of an id or its beginning. */
export const findService = (models: Views, name: string): Effect.Effect<Placed, NotFound | Ambiguous | StorageError> =>
  Effect.gen(function* () {
    const [serverName, serviceName] = splitName(name)
    const server = serverName === undefined ? undefined : yield* beforeSlash(models, serverName)
    const isThere = (one: Placed) => server === undefined || server === one.server.name
    const rows = yield* models.services.list({ where: { name: serviceName } })
    const placed = (yield* placeAll(models, rows)).filter(isThere)
    if (placed.length === 1 && !beginsId(serviceName)) return placed[0] as Placed
    if (placed.length > 1) {
      return yield* new Ambiguous({ entity: "service", name, candidates: placed.map(fullName).sort() })
    }
    const all = yield* placeAll(models, yield* models.services.list())
    const known = all.map((one) => (serverName === undefined ? one.service.name : fullName(one)))
    const unknown = missing("service", name, known)
    if (beginsId(serviceName)) {
      const ids = all.filter(isThere).map((one) => ({ id: one.service.id, name: one.service.name, one }))
      const shown = ({ id, name, one }: (typeof ids)[number]) => (beginsId(name) ? id : fullName(one))
      const found = named("service", serviceName, ids, called, shown)
      return (yield* Effect.catchTag(found, "NotFound", () => unknown)).one
    }
    return yield* unknown
  })

/** A service that was found before: by its id, for it may be called otherwise now; or, removed and registered anew, by its name. */
export const findAgain = (models: Views, id: string, name: string): ReturnType<typeof findService> =>
  Effect.catchTag(findService(models, id), "NotFound", () => findService(models, name))

/** What is called so before a slash, or has it for an id. */
const beforeSlash = (models: Views, text: string): Effect.Effect<string, Ambiguous | StorageError> =>
  beginsId(text)
    ? findServer(models, text).pipe(
        Effect.map(({ name }) => name),
        Effect.catchTag("NotFound", () => Effect.succeed(text)),
      )
    : Effect.succeed(text)

/** The row of an id, or of a beginning of one that fits no other. */
export const findById = <Row extends { readonly id: string }>(
  entity: string,
  view: View<Row>,
  id: string,
): Effect.Effect<Row, NotFound | Ambiguous | StorageError> =>
  Effect.gen(function* () {
    const wanted = id.toLowerCase()
    const exact = yield* view.get(wanted)
    if (exact !== undefined) return exact
    const near = wanted === "" ? [] : (yield* view.list()).filter((row) => row.id.startsWith(wanted))
    if (near.length === 1) return near[0] as Row
    if (near.length === 0) return yield* missing(entity, id, [])
    return yield* new Ambiguous({ entity, name: id, candidates: some(near.map((row) => row.id)) })
  })

/** `server/service`: the name that is never ambiguous. */
export const fullName = ({ server, service }: Placed): string => `${server.name}/${service.name}`

/** Each service with its server. A service whose server is not there (any more) is left out. */
export const placeAll = (
  models: Views,
  services: ReadonlyArray<ServiceRow>,
): Effect.Effect<ReadonlyArray<Placed>, StorageError> =>
  Effect.map(models.servers.list(), (servers) => {
    const byId = new Map(servers.map((server) => [server.id, server]))
    return services.flatMap((service) => {
      const server = byId.get(service.serverId)
      return server === undefined ? [] : [{ service, server }]
    })
  })

/** Fails with the names nearest to the one that is missing. */
export const missing = (entity: string, name: string, known: ReadonlyArray<string>): Effect.Effect<never, NotFound> =>
  new NotFound({ entity, name, suggestions: nearest(name, known) })

/** So much of an id or a fingerprint is not taken for it by chance, or by a slip. */
const shortest = 4

/**
 * The one thing that a text means: by one of its names, whole, or else by the beginning of an id of it that fits no other. `namesOf`
 * gives what people call it first, and what is never ambiguous last.
 */
export const theOne = <A>(
  entity: string,
  text: string,
  all: ReadonlyArray<A>,
  namesOf: (one: A) => readonly [called: string, ...others: ReadonlyArray<string>],
): Either.Either<A, NotFound | Ambiguous> => {
  const exact = all.filter((one) => namesOf(one).includes(text))
  const isBeginning = (id: string) => text.length >= shortest && id.startsWith(text)
  const near = all.filter((one) => namesOf(one).includes(text) || idsOf(namesOf(one)).some(isBeginning))
  const found = exact.length > 0 && !isMistakable(text, exact, near, namesOf) ? exact : near
  const [first] = found
  const called = all.map((one) => namesOf(one)[0])
  if (text === "" || first === undefined)
    return Either.left(new NotFound({ entity, name: text, suggestions: nearest(text, called) }))
  if (found.length === 1) return Either.right(first)
  const candidates = found.map((one) => namesOf(one).at(-1) as string)
  return Either.left(new Ambiguous({ entity, name: text, candidates }))
}

/** What has one name has that for an id. */
const idsOf = (names: ReadonlyArray<string>): ReadonlyArray<string> => (names.length === 1 ? names : names.slice(1))

/** So long a beginning of an id is hardly one by chance: who is called so may have been named to be taken for another. */
const telling = 8

const isMistakable = <A>(
  text: string,
  exact: ReadonlyArray<A>,
  near: ReadonlyArray<A>,
  namesOf: (one: A) => ReadonlyArray<string>,
): boolean =>
  text.length >= telling &&
  near.some(
    (one) =>
      !exact.includes(one) &&
      namesOf(one)
        .slice(1)
        .some((name) => name.startsWith(text)),
  )

/** The one or two known names that a person most probably meant. No name at all is near none. */
export const nearest = (name: string, known: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (name === "") return []
  const wanted = name.toLowerCase()
  const limit = Math.max(1, Math.floor(name.length / 3))
  return [...new Set(known)]
    .map((candidate) => ({ candidate, distance: distance(wanted, candidate.toLowerCase()) }))
    .filter((scored) => scored.distance <= limit || scored.candidate.toLowerCase().startsWith(wanted))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 2)
    .map((scored) => scored.candidate)
}

const splitName = (name: string): readonly [string | undefined, string] => {
  const slash = name.indexOf("/")
  return slash < 0 ? [undefined, name] : [name.slice(0, slash), name.slice(slash + 1)]
}

/** How many letters to add, drop, change or swap (Damerau–Levenshtein, restricted). */
const distance = (a: string, b: string): number => {
  let beforeLast: Array<number> = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, beforeLast[j - 2]! + 1)
      row.push(best)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
