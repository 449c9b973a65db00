/** The things, machines, deployments, invites and events of a log that one text means: by any name they ever had, or by their ids. */
import type { Recorded } from "../../Event.js"
import { hasId } from "../names.js"
import { fieldsIn, fieldsOf } from "./Things.js"

/** Events that tell of something which has no stream of its own. */
export interface Mention {
  readonly streams: Set<string>
  readonly positions: Set<number>
}

type Mentions = Map<string, Mention>

/** Looks at every event once. */
export class Search {
  /** By each name that something had, the streams of what had it. */
  readonly names = new Map<string, Set<string>>()
  /** The streams of what has the text for its id, or for the beginning of it. */
  readonly things = new Set<string>()
  /** What tells of a deployment, a machine or an invite whose id the text begins, and the event whose id it is. */
  readonly mentions: Mentions = new Map()
  /** The events whose ids the text begins: each was made with what it is about, so these count where nothing else does. */
  readonly events: Mentions = new Map()
  /** By each name that a machine had, its ids: the names on the stream of who may write are theirs. */
  readonly machineNames = new Map<string, Set<string>>()
  readonly #machines: Mentions = new Map()
  /** By the fingerprints of machines, their ids. */
  readonly #prints = new Map<string, string>()

  constructor(readonly text: string) {}

  note(event: Recorded): void {
    const { id, stream } = event
    const data = fieldsOf(event)
    const machines = machinesIn(data)
    for (const { id: machine, names } of machines) {
      mention(this.#machines, machine, event)
      for (const name of names) addTo(this.machineNames, name, machine)
    }
    const names = machines.length > 0 ? [] : [data.name, data.from, data.to, data.domain, data.title]
    for (const name of [stream, ...names, data.dependsOnExternal])
      if (typeof name === "string") addTo(this.names, name, stream)
    if (hasId(stream.slice(stream.indexOf("-") + 1), this.text)) this.things.add(stream)
    if (id === this.text.toLowerCase()) mention(this.mentions, id, event)
    else if (this.text.length >= telling && hasId(id, this.text)) mention(this.events, id, event)
    const invite = fieldsIn(data.invite).inviteId
    const ids = [data.deploymentId, data.inviteId, invite, ...machines.map((machine) => machine.id)]
    for (const one of new Set(ids))
      if (typeof one === "string" && beginsWith(one, this.text)) mention(this.mentions, one, event)
  }

  /** What machines are called, by their ids: one that came under the name of another has a name that no event gave it. */
  call(shown: ReadonlyMap<string, ReadonlyArray<string>>): void {
    for (const [id, names] of shown) {
      if (!this.#machines.has(id)) continue
      for (const name of names) addTo(this.machineNames, name, id)
      this.#prints.set(names.at(-1) as string, id)
    }
  }

  /** What tells of the machines whose fingerprints the text begins: that counts where it is nothing else. */
  get prints(): Mentions {
    const meant = [...this.#prints].filter(([print]) => this.text.length >= shortest && print.startsWith(this.text))
    return new Map(meant.map(([print, id]) => [print, this.#machines.get(id) as Mention]))
  }

  /** What tells of the machines that had the text for a name. */
  get machines(): ReadonlyArray<Mention> {
    const ids = this.machineNames.get(this.text) ?? []
    return [...ids].map((id) => this.#machines.get(id) as Mention)
  }

  /** Every name that there is or was. */
  get known(): ReadonlyArray<string> {
    return [...this.names.keys(), ...this.machineNames.keys()]
  }
}

/** So much of a fingerprint is asked for wherever a machine is named. */
const shortest = 4

/** So much of an event's id says when it was made, to the millisecond. */
const telling = 13

/** The machines that an event about who may write names. A root takes several over. */
const machinesIn = (data: Readonly<Record<string, unknown>>) =>
  [data, ...(Array.isArray(data.machines) ? data.machines.map(fieldsIn) : [])].flatMap((one) => {
    const { from, machineId: id, name, to } = one
    const names = [name, from, to].filter((text) => typeof text === "string")
    return typeof id === "string" ? [{ id, names }] : []
  })

/** The ids of machines have no dashes. */
const beginsWith = (id: string, text: string): boolean =>
  /^[0-9a-f]{8}[0-9a-f-]*$/i.test(text) && id.startsWith(text.toLowerCase())

const mention = (mentions: Mentions, id: string, { position, stream }: Recorded): void => {
  const before = mentions.get(id) ?? { streams: new Set(), positions: new Set() }
  mentions.set(id, { streams: before.streams.add(stream), positions: before.positions.add(position) })
}

const addTo = (sets: Map<string, Set<string>>, key: string, value: string): void => {
  sets.set(key, (sets.get(key) ?? new Set()).add(value))
}
