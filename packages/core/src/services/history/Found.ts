/** What a person means by a text in the log: things by any name they ever had, a thing by its id, or what some events are about. */
import * as Effect from "effect/Effect"
import { Ambiguous, NotFound } from "../../Errors.js"
import type { Recorded } from "../../Event.js"
import { hasId, nearest, some } from "../names.js"

/** Streams, and which of their events are meant. */
export interface Meant {
  readonly streams: ReadonlyArray<string>
  readonly isMeant: (event: { readonly position: number }) => boolean
}

const entity = "thing in the log"

/** Looks at every event once, and knows then what is meant. */
export class Found {
  /** By each name that something had, the streams of what had it. */
  readonly #names = new Map<string, Set<string>>()
  /** The streams of what has the text for its id. */
  readonly #things = new Set<string>()
  /** By the id of an event, a deployment or a machine that the text begins: the events that it is in. */
  readonly #mentions = new Map<string, Array<Recorded>>()

  constructor(readonly text: string) {}

  note(event: Recorded): void {
    const { id, stream } = event
    const data = (typeof event.data === "object" && event.data !== null ? event.data : {}) as Record<string, unknown>
    for (const name of [stream, data.name, data.from, data.to, data.domain, data.title, data.dependsOnExternal])
      if (typeof name === "string") this.#names.set(name, (this.#names.get(name) ?? new Set()).add(stream))
    if (hasId(stream.slice(stream.indexOf("-") + 1), this.text)) this.#things.add(stream)
    for (const mentioned of new Set([id, data.deploymentId, data.machineId]))
      if (typeof mentioned === "string" && beginsWith(mentioned, this.text))
        this.#mentions.set(mentioned, [...(this.#mentions.get(mentioned) ?? []), event])
  }

  /** No name hides the life of the thing that has it for an id: where several have, or nothing is meant, it fails. */
  get done(): Effect.Effect<Meant, NotFound | Ambiguous> {
    const name = this.text
    const streams = [...new Set([...(this.#names.get(name) ?? []), ...this.#things])]
    if (this.#things.size > 1) return new Ambiguous({ entity, name, candidates: some(streams) })
    if (streams.length > 0) return Effect.succeed({ streams, isMeant: () => true })
    if (this.#mentions.size > 1) return new Ambiguous({ entity, name, candidates: some([...this.#mentions.keys()]) })
    const [events] = this.#mentions.values()
    if (events === undefined) return new NotFound({ entity, name, suggestions: nearest(name, [...this.#names.keys()]) })
    const positions = new Set(events.map(({ position }) => position))
    return Effect.succeed({
      streams: [...new Set(events.map(({ stream }) => stream))],
      isMeant: ({ position }) => positions.has(position),
    })
  }
}

/** The ids of machines have no dashes. */
const beginsWith = (id: string, text: string): boolean =>
  /^[0-9a-f]{8}[0-9a-f-]*$/i.test(text) && id.startsWith(text.toLowerCase())
