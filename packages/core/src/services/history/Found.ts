/** What a person means by a text in the log: things by any name they ever had, a thing by its id, or what some events are about. */
import * as Effect from "effect/Effect"
import { Ambiguous, NotFound } from "../../Errors.js"
import type { Recorded } from "../../Event.js"
import { nearest, some } from "../names.js"
import { type Mention, Search } from "./Search.js"
import { Things } from "./Things.js"

/** Streams, which of their events are meant, and what each of them is called. */
export interface Meant {
  readonly streams: ReadonlyArray<string>
  readonly isMeant: (event: Recorded) => boolean
  readonly labels: ReadonlyMap<string, string>
}

const entity = "thing in the log"

/** Looks at every event once, and knows then what is meant. */
export class Found {
  readonly #whole: Search
  /** Of `server/service`, the one and the other. */
  readonly #parts: readonly [server: Search, service: Search] | undefined
  readonly #things = new Things()

  constructor(readonly text: string) {
    const slash = text.indexOf("/")
    this.#whole = new Search(text)
    this.#parts = slash < 0 ? undefined : [new Search(text.slice(0, slash)), new Search(text.slice(slash + 1))]
  }

  note(event: Recorded): void {
    this.#things.note(event)
    for (const search of [this.#whole, ...(this.#parts ?? [])]) search.note(event)
  }

  /** What machines are called on any screen, by their ids. */
  call(shown: ReadonlyMap<string, ReadonlyArray<string>>): void {
    this.#whole.call(shown)
  }

  /** No name hides the life of the thing that has it for an id: where the text fits several ids, or nothing, it fails. */
  get done(): Effect.Effect<Meant, NotFound | Ambiguous> {
    const { events, machines, mentions, names, prints, text: name, things } = this.#whole
    const called = [...(names.get(name) ?? [])]
    if (things.size + mentions.size > 1) return ambiguous(name, [...called, ...things, ...mentions.keys()])
    const streams = [...new Set([...called, ...things])]
    const told = [...machines, ...mentions.values()]
    if (streams.length + told.length > 0) return Effect.succeed(this.#meant(streams, told))
    if (prints.size > 1) return ambiguous(name, [...prints.keys()])
    if (prints.size === 1) return Effect.succeed(this.#meant([], [...prints.values()]))
    if (events.size > 1) return ambiguous(name, [...events.keys()])
    if (events.size === 1) return Effect.succeed(this.#meant([], [...events.values()]))
    const placed = this.#placed()
    if (placed.length > 0) return Effect.succeed(this.#meant(placed, []))
    const known = [...this.#whole.known, ...this.#fullNames()]
    return new NotFound({ entity, name, suggestions: nearest(name, known) })
  }

  /** The services of `server/service`, on whichever server of that name or id they ever were. */
  #placed(): ReadonlyArray<string> {
    if (this.#parts === undefined) return []
    const [servers, services] = this.#parts.map(({ names, text, things }) => [...(names.get(text) ?? []), ...things])
    const isThere = (stream: string) =>
      this.#things.serversOf(stream).some((id) => servers?.includes(`server-${id}`) === true)
    return [...new Set(services)].filter((stream) => stream.startsWith("service-") && isThere(stream))
  }

  /** What could have been meant with a slash. */
  #fullNames(): ReadonlyArray<string> {
    if (this.#parts === undefined) return []
    const streams = [...this.#whole.names.values()].flatMap((all) => [...all])
    const services = streams.filter((stream) => stream.startsWith("service-"))
    return [...new Set(services)].map((stream) => this.#things.label(stream).slice("service ".length))
  }

  #meant(whole: ReadonlyArray<string>, mentions: ReadonlyArray<Mention>): Meant {
    const entire = new Set(whole)
    const positions = new Set(mentions.flatMap((one) => [...one.positions]))
    const streams = [...new Set([...whole, ...mentions.flatMap((one) => [...one.streams])])]
    return {
      streams,
      isMeant: ({ position, stream }) => entire.has(stream) || positions.has(position),
      labels: this.#things.labels(streams),
    }
  }
}

const ambiguous = (name: string, candidates: ReadonlyArray<string>) =>
  new Ambiguous({ entity, name, candidates: some([...new Set(candidates)]) })
