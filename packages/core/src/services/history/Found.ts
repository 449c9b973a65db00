/** What a person means by a text in the log: things by any name they ever had, a thing by its id, or what some events are about. */
import * as Effect from "effect/Effect"
import { Ambiguous, NotFound } from "../../Errors.js"
import type { Recorded } from "../../Event.js"
import { hasId, nearest, some } from "../names.js"

/** Streams, and which of their events are meant. */
export interface Meant {
  readonly streams: ReadonlyArray<string>
  readonly isMeant: (event: Recorded) => boolean
}

const entity = "thing in the log"

/** Looks at every event once, and knows then what is meant. */
export class Found {
  /** By each name that something had, the streams of what had it. */
  readonly #names = new Map<string, Set<string>>()
  /** The streams of what has the text for its id. */
  readonly #things = new Set<string>()
  /** By the id of a deployment, a machine or an invite that the text begins, and of the event whose id it is: the positions that tell of it. */
  readonly #mentions = new Map<string, { readonly streams: Set<string>; readonly positions: Set<number> }>()

  constructor(readonly text: string) {}

  note(event: Recorded): void {
    const { id, stream } = event
    const data = (typeof event.data === "object" && event.data !== null ? event.data : {}) as Record<string, unknown>
    for (const name of [stream, data.name, data.from, data.to, data.domain, data.title, data.dependsOnExternal])
      if (typeof name === "string") this.#names.set(name, (this.#names.get(name) ?? new Set()).add(stream))
    if (hasId(stream.slice(stream.indexOf("-") + 1), this.text)) this.#things.add(stream)
    if (id === this.text.toLowerCase()) this.#mention(id, event)
    for (const mentioned of new Set([data.deploymentId, data.machineId, data.inviteId, ...rootsOf(data)]))
      if (typeof mentioned === "string" && beginsWith(mentioned, this.text)) this.#mention(mentioned, event)
  }

  #mention(id: string, { position, stream }: Recorded): void {
    const before = this.#mentions.get(id) ?? { streams: new Set(), positions: new Set() }
    this.#mentions.set(id, { streams: before.streams.add(stream), positions: before.positions.add(position) })
  }

  /** No name hides the life of the thing that has it for an id: where the text fits several ids, or nothing, it fails. */
  get done(): Effect.Effect<Meant, NotFound | Ambiguous> {
    const name = this.text
    const called = [...(this.#names.get(name) ?? [])]
    if (this.#things.size + this.#mentions.size > 1) {
      const candidates = some([...new Set([...called, ...this.#things, ...this.#mentions.keys()])])
      return new Ambiguous({ entity, name, candidates })
    }
    const streams = [...new Set([...called, ...this.#things])]
    const [mention] = this.#mentions.values()
    if (mention === undefined && streams.length === 0)
      return new NotFound({ entity, name, suggestions: nearest(name, [...this.#names.keys()]) })
    if (mention === undefined) return Effect.succeed({ streams, isMeant: () => true })
    const whole = new Set(streams)
    return Effect.succeed({
      streams: [...new Set([...streams, ...mention.streams])],
      isMeant: ({ position, stream }) => whole.has(stream) || mention.positions.has(position),
    })
  }
}

/** The machines that a root takes over. */
const rootsOf = ({ machines }: Readonly<Record<string, unknown>>): ReadonlyArray<unknown> =>
  Array.isArray(machines) ? machines.map((one) => one?.machineId) : []

/** The ids of machines have no dashes. */
const beginsWith = (id: string, text: string): boolean =>
  /^[0-9a-f]{8}[0-9a-f-]*$/i.test(text) && id.startsWith(text.toLowerCase())
