/** The `infra_events` view: the timeline people read. One row an event worth telling, and one an entry people wrote. */
import { idOf } from "../Aggregate.js"
import { entity, type InfraEvent, type Severity } from "../domain/InfraEvent.js"
import type { Recorded } from "../Event.js"
import type { Projection } from "../Projection.js"
import { tell } from "./tell.js"

export interface InfraEventRow {
  readonly id: string
  readonly serverId: string | null
  readonly serviceId: string | null
  /** What they were called then. */
  readonly server: string | null
  readonly service: string | null
  readonly type: string
  readonly severity: Severity
  readonly title: string
  readonly description: string | null
  readonly metadata: unknown
  readonly actor: string
  /** `log`: told from an event; `person`: written by someone, who may also change it. */
  readonly source: "log" | "person"
  readonly createdAt: string
  readonly position: number
}

export const infraEvents: Projection<InfraEventRow> = {
  name: "infra_events",
  version: 2,
  unique: [],
  key: (event) => (isEntry(event) ? idOf(event.stream) : event.id),
  own: (event) => !isEntry(event),
  // Whoever may append can give an event the id of an entry, or an entry that of an event: what people wrote is shown.
  evolve: (row, event) => (isEntry(event) ? written(row, event) : (row ?? told(event))),
}

const isEntry = ({ stream }: Recorded): boolean => stream.startsWith("entry-")

const written = (row: InfraEventRow | undefined, event: Recorded): InfraEventRow | undefined => {
  const entry = row?.source === "log" ? undefined : row
  const fields = entity.evolve(entry as InfraEvent | undefined, event)
  if (fields === undefined) return entry === undefined ? row : undefined
  const created = entry ?? {
    id: idOf(event.stream),
    actor: event.meta.actor,
    source: "person" as const,
    createdAt: event.occurredAt,
    position: event.position,
  }
  return { ...created, ...fields }
}

const told = (event: Recorded): InfraEventRow | undefined => {
  const story = tell(event)
  if (story === undefined) return undefined
  return {
    id: event.id,
    serverId: null,
    serviceId: null,
    server: null,
    service: null,
    description: null,
    metadata: null,
    ...story,
    actor: event.meta.actor,
    source: "log",
    createdAt: event.occurredAt,
    position: event.position,
  }
}
