/** `context infra restore <file>` */
import { word } from "@context-engine/core/Shell"
import type { Withheld } from "@context-engine/store/trust/waiting"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { leaf } from "../leaf.js"
import { argument, flag, removing } from "../options.js"
import { likenessInWords } from "../render/likeness.js"
import { broughtBack, givenUpInWords, notFollowed } from "../render/loss.js"
import { count, rebuiltInWords } from "../render/units.js"
import { machineKey } from "../runtime/key.js"
import { isShared, memoryDirectory, needsFile, pathOfLog } from "../runtime/log.js"
import { withAudit } from "../runtime.js"
import { progress } from "../terminal.js"
import { Refused } from "../usage.js"
import { walked } from "../walk.js"

export const restore = leaf({
  name: "restore",
  description:
    "Verifies a copy of a backup, with what is beside it (<file>-wal), and puts it in the place of the log. Rows that are not what " +
    "the events say are built anew. The log that was there is kept aside, never deleted. Stop what uses it first. A backup of another " +
    "log, or an unsigned one for a signed, takes --another-log where nobody is asked.",
  examples: ["restore /mnt/usb/infra-2026-11-22.db", "restore backup.db --db copy.db --yes"],
  args: { file: argument("file", "A file that backup wrote") },
  options: { ...removing, anotherLog: flag("another-log", "It is meant to be another log than the one that is there") },
  run: (given) =>
    Effect.gen(function* () {
      yield* needsFile("put a backup in the place of")
      const db = yield* pathOfLog({ ...given, mayBeGone: true })
      const { existsSync } = yield* Effect.promise(() => import("node:fs"))
      if (!existsSync(given.file)) return yield* new Refused({ message: `there is no file ${given.file}` })
      const { prepare } = yield* Effect.promise(() => import("@context-engine/store/restore"))
      const { agreedToReplace } = yield* Effect.promise(() => import("../replacing.js"))
      const how = {
        onProgress: walked("verifying"),
        shared: isShared(given.db),
        memory: memoryDirectory(),
        ...machineKey(),
      }
      const found = yield* Effect.gen(function* () {
        const { compared, place, ...found } = yield* progress("verifying")(prepare(given.file, db, how))
        if (compared === undefined) {
          const message = `${given.file} does not hold: ${found.problems[0]}`
          return yield* new Refused({ message, next: `context infra audit verify --db ${word(given.file)}` })
        }
        yield* agreedToReplace({ ...given, db, events: found.events, compared })
        return { ...found, ...compared, ...(yield* place) }
      }).pipe(Effect.scoped)
      // The log is in its place by now, whatever becomes of this.
      const accepted = yield* Effect.either(accept(db))
      const [givenUp, notRemembered] = Either.match(accepted, {
        onRight: (loss) => [loss, null] as const,
        onLeft: (error) => [null, (error as Error).message] as const,
      })
      const { differing, problems: _, ...told } = found
      return { file: given.file, db, ...told, rebuilt: differing, givenUp, notRemembered, shared: how.shared }
    }),
  said: ({
    aside,
    db,
    events,
    givenUp,
    isConnected,
    likeness,
    notRemembered,
    rebuilt,
    rootWaits,
    shared,
    unshared,
    withheld,
  }) => {
    const continued = isConnected && likeness !== "another" && likeness !== "unsigned"
    return [
      `restored ${count(events, "event")} into ${db}` +
        (rebuilt === 0 ? "" : `; ${rebuiltInWords(rebuilt)}`) +
        (aside === null ? "" : `; what was there is in ${aside}`),
      ...(unshared === 0
        ? []
        : [
            `${count(unshared, "event")} of the log that was there ${unshared === 1 ? "was" : "were"} never shared and ${unshared === 1 ? "is" : "are"} not in the backup: ${unshared === 1 ? "it is" : "they are"} in ${aside} alone`,
          ]),
      ...(rootWaits
        ? [
            "it has a root that nobody here has accepted, and what is under that counts for nothing yet: context infra machine list shows it, machine trust <fingerprint> accepts it",
          ]
        : []),
      ...withheld.map(withheldInWords),
      ...(likeness === "new" ? [] : [`the backup was ${likenessInWords[likeness]}`]),
      ...(givenUp === null ? [] : givenUpInWords(givenUp, continued)),
      ...(notRemembered === null ? [] : [notFollowed(notRemembered)]),
      ...(givenUp === null && continued && likeness === "older" ? [broughtBack] : []),
      ...(shared && !isConnected
        ? [
            "the connection is not that of this log: context infra sync join puts it after the one that is shared there, sync connect <url> names that of its own, and sync disconnect leaves it alone",
          ]
        : []),
    ]
  },
})

/** Whose work it is that this machine does not pass on, and what becomes of it. */
const withheldInWords = ({ events, fingerprint, machine, position, status }: Withheld): string =>
  `${count(events, "event")} from position ${position} on ${events === 1 ? "was" : "were"} written with the key of ${machine} (${fingerprint}), which ${status === "revoked" ? "is revoked" : "nobody enrolled"}: ` +
  `${events === 1 ? "it is" : "they are"} kept, and told as refused once a machine that may write synchronises this file; then context infra sync rejected shows ${events === 1 ? "it" : "them"}, and sync rejected retry gives ${events === 1 ? "it" : "them"} again`

/** Takes the log for the one to go on from, by each name that this machine may remember it by. Gives what is given up. */
const accept = (db: string) =>
  Effect.gen(function* () {
    const { leadsTo } = yield* Effect.promise(() => import("@context-engine/store/files"))
    const names = [...new Set([db, leadsTo(db)])]
    const losses = yield* Effect.forEach(names, (name) =>
      withAudit({ db: name, remembered: "quietly", mayBeGone: true }, ({ audit }) => audit.accept),
    )
    return losses.find((loss) => loss !== null) ?? null
  })
