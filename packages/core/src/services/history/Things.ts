/** What the streams of a log are called: as it was last said, and on which servers a service ever was. */
import { machinesStream } from "../../domain/Machine.js"
import type { Recorded } from "../../Event.js"

type Fields = Readonly<Record<string, unknown>>

/** What has fields, as such. */
export const fieldsIn = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {}

/** What an event says; of an update, with what it changed. */
export const fieldsOf = ({ data }: Pick<Recorded, "data">): Fields => {
  const fields = fieldsIn(data)
  return { ...fields, ...fieldsIn(fields.changes) }
}

interface Thing {
  name?: string
  readonly servers: Set<string>
}

export class Things {
  readonly #byStream = new Map<string, Thing>()

  note(event: Recorded): void {
    const thing = this.#byStream.get(event.stream) ?? { servers: new Set<string>() }
    const { dependsOnExternal, domain, machineId, name, serverId, title, to } = fieldsOf(event)
    // The stream of who may write is no single machine's.
    const names = machineId === undefined ? [to, name, domain, title, dependsOnExternal] : []
    const called = names.find((one) => typeof one === "string")
    if (called !== undefined) thing.name = called as string
    if (typeof serverId === "string") {
      // The last one is where it is now.
      thing.servers.delete(serverId)
      thing.servers.add(serverId)
    }
    this.#byStream.set(event.stream, thing)
  }

  /** The servers that what has the stream was ever on, by their ids. */
  serversOf(stream: string): ReadonlyArray<string> {
    return [...(this.#byStream.get(stream)?.servers ?? [])]
  }

  /** `service alpha/api`: what is there, or was. */
  label(stream: string): string {
    const kind = stream.slice(0, stream.indexOf("-"))
    const { name, servers } = this.#byStream.get(stream) ?? { servers: new Set<string>() }
    if (stream === machinesStream) return "the machines"
    if (name === undefined) return stream
    const server = this.#byStream.get(`server-${[...servers].at(-1)}`)?.name
    return `${kind} ${server === undefined ? name : `${server}/${name}`}`
  }

  /** The same for several, each other than the rest: where two are called alike, their ids tell them apart. */
  labels(streams: ReadonlyArray<string>): ReadonlyMap<string, string> {
    const labels = streams.map((stream) => [stream, this.label(stream)] as const)
    const isAlone = (label: string) => labels.filter(([, other]) => other === label).length === 1
    return new Map(
      labels.map(([stream, label]) => [
        stream,
        isAlone(label) ? label : `${label} (${stream.slice(stream.indexOf("-") + 1)})`,
      ]),
    )
  }
}
