/** The check of the log itself: the chain, the signatures and the rows, from the first event, as far as a moment's patience goes. */
import { isOfWaitingRoot } from "@context-engine/core/domain/Membership"
import type * as Audit from "@context-engine/core/services/Audit"
import { type Finding, ok, trouble } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"
import { type Audited, auditOn } from "../auditOn.js"
import type { NativeConnection } from "../connection.js"
import { migrations } from "../schema.js"
import { lookWith } from "./look.js"

export interface Options {
  /** For how many milliseconds events are gone through. */
  readonly budget: number
  /** Whether the rows are those of this version's views. */
  readonly rows: boolean
  /** Whether it is a copy of the shared log that goes with the process: then what mends it is done elsewhere. */
  readonly isCopy?: boolean
}

/** What an audit of the file finds, each kind of trouble once, with the way out of it. */
export const log = (path: string, options: Options): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.match(
    lookWith(path, (connection) =>
      isOlder(connection)
        ? Effect.succeed([ok("log", older)])
        : Effect.map(auditOn(connection, options), (audited) => verdict(audited, options)),
    ),
    {
      onSuccess: (found) => found ?? [],
      onFailure: ({ message }) => [trouble("log", message, restore)],
    },
  )

const older = "of an older version, so not gone through: the next command brings the file up to date"

const isOlder = (connection: NativeConnection): boolean =>
  connection.prepare("SELECT user_version FROM pragma_user_version").get()[0] < migrations.length

const restore = "context infra restore <backup>"
const anew = "context infra audit export --into log.jsonl, then context infra audit import log.jsonl --db <new file>"

/** The same where nothing is kept. */
const elsewhere = "context infra sync heal, on a machine that has the log"
const settle = "a key of the right one's machines in CONTEXT_KEY settles that: context infra machine add <name>, there"

const trust =
  "context infra machine list shows the root that waits; context infra machine trust <fingerprint>, if the machine that began it shows the same"
const acknowledge = "context infra audit verify names them; context infra machine acknowledge, on an admin machine"

/** What mends each kind. What concerns the events comes first: rows folded from events that do not hold say nothing. */
const mend: Record<Audit.Finding["kind"], readonly [about: "events" | "file" | "rows" | "trust", fix: string]> = {
  chain: ["events", restore],
  gap: ["events", restore],
  stream: ["events", restore],
  signature: ["events", restore],
  damage: ["events", restore],
  loss: ["events", restore],
  checkpoint: ["events", `${restore}; where there is none, context infra rebuild`],
  trigger: ["file", anew],
  schema: ["file", anew],
  inert: ["trust", acknowledge],
  sequence: ["trust", acknowledge],
  row: ["rows", "context infra rebuild"],
}

const verdict = ({ rows, total, walk }: Audited, { budget, isCopy = false }: Options): ReadonlyArray<Finding> => {
  const wrong = (["events", "file", "trust", "rows"] as const).flatMap((about) => {
    const found = walk.findings.filter(({ kind }) => mend[kind][0] === about)
    return found.length === 0 ? [] : [{ about, finding: told(found, isCopy) }]
  })
  const broken = wrong.some(({ about }) => about === "events")
  const shown = wrong.filter(({ about }) => !broken || about !== "rows").map(({ finding }) => finding)
  if (shown.length > 0) return shown
  if (walk.events < total) {
    const seen = `the first ${count(walk.events)} of ${count(total)} events hold, which is as far as ${budget / 1000} s go`
    return [ok("log", `${seen}; context infra audit verify goes through all of it`)]
  }
  return [
    ok("log", `all ${count(total)} events hold${rows === undefined ? "" : `, and so do their ${count(rows)} rows`}`),
  ]
}

const told = (found: ReadonlyArray<Audit.Finding>, isCopy: boolean): Finding => {
  const [first] = found as readonly [Audit.Finding]
  const more = found.length === 1 ? "" : ` (and ${found.length - 1} more: context infra audit verify)`
  const isAsked = found.some(({ message }) => isOfWaitingRoot(message))
  const [about, mended] = mend[first.kind]
  const fix = isAsked ? (isCopy ? settle : trust) : isCopy && about !== "trust" ? elsewhere : mended
  return trouble("log", `${first.message}${more}`, fix)
}

const count = (n: number): string => n.toLocaleString("en")
