/** Audits, differences and lives, for people. */
import { MachineJoined, machinesStream } from "@context-engine/core/domain/Machine"
import { isOfWaitingRoot } from "@context-engine/core/domain/Membership"
import type { AuditReport, WithheldReport } from "@context-engine/core/services/Audit"
import type {
  Cause,
  Difference,
  EntityChange,
  FieldChange,
  LifeEvent,
  MachineChange,
} from "@context-engine/core/services/History"
import { membershipTold } from "./membership.js"
import { safe } from "./safe.js"
import { table } from "./table.js"
import { paint, type Renderer, type Screen, wrap } from "./text.js"
import { count, moment } from "./units.js"

const number = (n: number): string => n.toLocaleString("en")

/** Whether the log holds, and if not, where it does not. */
export const verdict: Renderer<AuditReport> = (report, screen) => {
  const { duration, events, findings, head, inert, rows, signed, unsigned, withheld } = report
  const rate = number(Math.round(events / Math.max(0.001, duration)))
  const machines = table(
    screen,
    [
      { title: "Machine", cell: (machine) => machine.name },
      { title: "Key", cell: (machine) => machine.machineId },
      { title: "Events", cell: (machine) => number(machine.events), right: true },
    ],
    report.machines,
  )
  const unknown = Object.entries(report.unknownTypes).map(([type, n]) => `${safe(type)} ${n}`)
  return [
    report.ok
      ? `${paint(screen, "good", "✓")} the log holds: ${number(events)} events, ${number(rows)} rows, ${rate} events/s`
      : `${paint(screen, "bad", "✗")} the log does not hold`,
    ...(report.replayed === null ? [] : [`the file shows its log as of ${safe(report.replayed)}`]),
    ...findings.map((finding) => lines(screen, `${paint(screen, "bad", "✗")} ${safe(finding.message)}`)),
    `${number(signed)} signed, ${number(unsigned)} unsigned${inert === 0 ? "" : `, ${number(inert)} that count for nothing`}`,
    ...withheld.map((one) => lines(screen, `${paint(screen, "warn", "!")} ${waits(one)}`)),
    ...origin(report).map((line) => lines(screen, line)),
    ...(report.machines.length === 0 ? [] : [machines]),
    ...(unknown.length === 0 ? [] : [`not known to this version: ${unknown.join(", ")}`]),
    `head: position ${head.position}`,
    // What counts for nothing may have any.
    `      ${head.hash === "" ? "which has no hash" : safe(head.hash)}`,
  ].join("\n")
}

/** What a machine wrote that no other log has. */
const waits = ({ because, events, machineId, name, own }: WithheldReport): string => {
  const one = events === 1
  const who = own ? "this machine" : safe(name ?? `the machine with the key ${machineId.slice(0, 16)}`)
  const whose = own ? "" : ` of ${who}`
  const until = own ? who : "that machine"
  return because === "revoked"
    ? `${count(events, "event")}${whose} ${one ? "was" : "were"} written after ${until} was revoked, and ${one ? "counts" : "count"} nowhere else`
    : `${count(events, "event")}${whose} ${one ? "waits" : "wait"} here until ${until} is enrolled`
}

/** Who says who may write, and what follows for the reader where nobody does. */
const origin = ({ findings, root, unsigned }: AuditReport): ReadonlyArray<string> => [
  ...(root !== null
    ? [`root: ${safe(root)}`]
    : unsigned > 0
      ? ["an unsigned log: nothing shows who wrote it, nor that nobody wrote it anew"]
      : []),
  ...(findings.some(({ message }) => isOfWaitingRoot(message))
    ? [
        "a root waits for your word: context infra machine list shows it, context infra machine trust <fingerprint> accepts it",
      ]
    : []),
  ...(findings.some(({ kind }) => kind === "damage")
    ? [
        "what mends the file: context infra restore <backup>; one that is made of it now (context infra backup <file>) is taken if its events hold",
      ]
    : []),
  ...(findings.some(({ kind, message }) => (kind === "inert" || kind === "sequence") && !isOfWaitingRoot(message))
    ? ["when you know why, on an admin machine: context infra machine acknowledge"]
    : []),
]

/** What a file was given. */
export const exported: Renderer<{ readonly into: string; readonly events: number } | undefined> = (value, screen) =>
  value === undefined
    ? ""
    : `${paint(screen, "good", "✓")} exported ${count(value.events, "event")} into ${safe(value.into)}`

/** What changed, entity by entity, and what became of the machines that may write. */
export const difference: Renderer<Difference> = ({ changes, from, machines, names, to }, screen) => {
  const counted = [
    ...(changes.length === 0 ? [] : [count(changes.length, "change")]),
    ...(machines.length === 0 ? [] : [`${count(machines.length, "event")} about machines`]),
  ]
  return [
    `from position ${from} to ${to}: ${counted.length === 0 ? "nothing changed" : counted.join(", ")}`,
    ...changes.map((change) => entity(change, names, screen)),
    ...machines.map((event) => aboutMachine(event, screen)),
  ].join("\n")
}

const aboutMachine = (event: MachineChange, screen: Screen): string => {
  const [sign, style, what] = membershipTold(event)
  return [
    "",
    lines(screen, `${paint(screen, style, sign)} ${paint(screen, "strong", what)}`),
    lines(screen, paint(screen, "faint", `    ${told(event)}`)),
  ].join("\n")
}

const marks = { added: ["+", "good"], changed: ["~", "warn"], removed: ["-", "bad"] } as const

/** What ids stand for. */
type Names = Difference["names"]

const entity = ({ causes, fields, kind, name, view }: EntityChange, names: Names, screen: Screen): string => {
  const [mark, style] = marks[kind]
  return [
    "",
    `${paint(screen, style, mark)} ${paint(screen, "strong", safe(name))} ${paint(screen, "faint", `(${view})`)} ${kind}`,
    ...fields.map((field) => lines(screen, `    ${change(field, kind, names)}`)),
    ...causes.map((cause) => lines(screen, paint(screen, "faint", `    ${told(cause)}`))),
  ].join("\n")
}

/** Every event of a thing, with what it changed. Where several things had the name, each event says of which it is. */
export const life: Renderer<ReadonlyArray<LifeEvent>> = (events, screen) => {
  const isOne = new Set(events.map(({ stream }) => stream)).size === 1
  return events
    .map((event) =>
      [
        `${paint(screen, "strong", safe(event.type))}${isOne ? "" : ` of ${safe(event.thing)}`} ${paint(screen, "faint", who(event))}`,
        ...aboutWho(event).map((text) => lines(screen, `    ${text}`)),
        ...event.fields.map((field) => lines(screen, `    ${change(field, "changed", {})}`)),
      ].join("\n"),
    )
    .join("\n\n")
}

/** What an event about who may write says, with the key that it is about: machines may be called alike, one after the other. */
const aboutWho = ({ data, stream, type }: LifeEvent): ReadonlyArray<string> => {
  if (stream !== machinesStream && type !== MachineJoined.type) return []
  const { machineId } = (data ?? {}) as { readonly machineId?: unknown }
  const key = typeof machineId === "string" ? ` (key ${safe(machineId.slice(0, 16))})` : ""
  return [`${membershipTold({ data, type })[2]}${key}`]
}

const change = ({ after, before, field }: FieldChange, kind: EntityChange["kind"], names: Names): string => {
  if (kind === "added") return `${field}: ${value(after, names)}`
  if (kind === "removed") return `${field}: ${value(before, names)}`
  return `${field}: ${value(before, names)} → ${value(after, names)}`
}

const value = (of: unknown, names: Names): string => {
  if (of === null || of === undefined) return "–"
  const text = safe(typeof of === "string" ? (Object.hasOwn(names, of) && names[of]) || of : JSON.stringify(of))
  return text.length > 120 ? `${text.slice(0, 119)}…` : text
}

const who = ({ actor, at, machine, position, statedAt, via }: Cause): string =>
  `at ${position}, ${moment(at)}${statedAt === undefined ? "" : ` (its writer said ${moment(statedAt)})`}, by ${safe(actor)} via ${via} on ${safe(machine)}`

const told = (cause: Cause): string => `${safe(cause.type)} ${who(cause)}`

/** A line that goes on below itself, indented, where it is too long. */
const lines = (screen: Screen, text: string): string => {
  const indent = text.match(/^ */)?.[0] ?? ""
  const [first = "", ...rest] = wrap(text.trimStart(), screen.columns - indent.length - 2)
  return [`${indent}${first}`, ...rest.map((line) => `${indent}  ${line}`)].join("\n")
}
