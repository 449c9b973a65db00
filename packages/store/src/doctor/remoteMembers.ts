/** Who may write to a shared log of which this machine keeps nothing: read from the log itself, and judged as everybody judges it. */

import { machinesStream } from "@context-engine/core/domain/Machine"
import { type Membership, nobody } from "@context-engine/core/domain/Membership"
import type { SyncError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import { genesis } from "../record.js"
import type { RemoteLog } from "../sync/RemoteLog.js"
import { Admission } from "../trust/Admission.js"
import { fingerprint, type Vouched } from "../trust/keys.js"

/** Events that are asked for at once. */
const page = 5_000

/** `undefined` where there is no log. `vouched` is the root that this machine's key names, if it names one. */
export const remoteMembers = (
  remote: RemoteLog["Type"],
  vouched: Vouched | undefined,
): Effect.Effect<Membership | undefined, SyncError> =>
  Effect.gen(function* () {
    const survey = yield* remote.survey([])
    if (survey._tag === "Empty") return undefined
    const admission = new Admission({
      membership: nobody,
      link: () => undefined,
      decided: new Map(
        vouched && [[vouched.root, (publicKey: string) => fingerprint(publicKey) === vouched.fingerprint]],
      ),
      acceptsFirst: true,
      hash: genesis,
      // Only what says who may write is of interest here.
      trusted: (row) => row[2] !== machinesStream,
    })
    for (let from = { position: 0, hash: genesis }; from.position < survey.head; ) {
      const asked = { from, logId: survey.logId, push: [], keepTimes: false, limit: page }
      const rows = (yield* remote.exchange(asked))?.rows ?? []
      for (const { judged } of admission.units(rows)) if (judged.verdict === "stop") return admission.membership
      const last = rows[rows.length - 1]
      if (last === undefined) break
      from = { position: last[0], hash: last[10] }
    }
    return admission.membership
  })
