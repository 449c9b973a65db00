/** What is asked before a machine's log and a shared one become one. */
import type { Contact, Side } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { confirmed } from "./removal.js"
import { safe } from "./render/safe.js"
import { count } from "./render/units.js"
import { isInteractive, say } from "./terminal.js"
import { Refused } from "./usage.js"

/** Goes on with a yes, or where there is nothing to be asked. `moving`: the log is to be shared by way of another server than before. */
export const agreed = (yes: boolean, met: Contact, moving = false): Effect.Effect<void, Refused> =>
  Effect.gen(function* () {
    const what = withRoot(met, moving ? (movedOf(met) ?? whatOf(met)) : whatOf(met))
    if (what === undefined) return
    const shown = met.sides === null ? [] : [line("here", met.sides.here), line("there", met.sides.there)]
    if (!yes && !isInteractive()) {
      const message = `nobody is there to be asked whether to ${what}. Nothing was pushed or taken over`
      return yield* new Refused({ message, shown, next: "add --yes, or name another log with --db" })
    }
    if (!yes) yield* Effect.forEach(shown, (text) => say(safe(text)), { discard: true })
    yield* confirmed(yes, what)
  })

/** A root that goes with it is named, and asked about where nothing else would be. */
const withRoot = ({ beginsRoot, ours }: Contact, what: string | undefined): string | undefined =>
  beginsRoot
    ? `${what ?? `push ${count(ours, "event")} of this machine`}, a new root among them, which every other machine asks its person about`
    : what

/** Where the file as it was is to be found, however the joining ends. */
export const onCopy = (path: string): Effect.Effect<void> => say(safe(`  as it was before, this log is in ${path}`))

const whatOf = ({ common, ours, remoteEvents, state }: Contact): string | undefined => {
  switch (state) {
    case "to-merge":
      return `put ${count(ours, "event")} of this machine after the ${remoteEvents} of the log there`
    case "foreign":
      return `leave the log that this one was shared with, and put ${count(ours, "event")} of it after the ${remoteEvents} of the log there`
    case "reset":
      return `push ${count(ours, "event")} to the shared log, of which nothing is there any more`
    case "rolled-back":
      return `push ${count(ours, "event")} to the shared log, which is an older copy of itself (${common} of its ${count(remoteEvents, "event")} known here)`
    default:
      return undefined
  }
}

/** What is lost where it was is only not there yet where it is new. */
const movedOf = ({ common, ours, remoteEvents, state }: Contact): string | undefined => {
  if (state === "reset")
    return `share this log by way of that server, which is empty, and push ${count(ours, "event")} to it`
  if (state !== "rolled-back") return undefined
  const known = common === remoteEvents ? "all of them known here" : `${common} of them known here`
  return `share this log by way of that server, which has ${count(remoteEvents, "event")} of it, ${known}, and push ${ours} more to it`
}

const line = (where: string, { events, servers, since }: Side): string =>
  `${where.padEnd(6)}${count(events, "event")} since ${since?.slice(0, 16).replace("T", " ") ?? "never"}; ${servers.length === 0 ? "no servers" : `servers: ${servers.join(", ")}`}`
