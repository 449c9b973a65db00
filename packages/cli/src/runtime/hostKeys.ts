/** Whether a host key that is seen for the first time is to be trusted: by an option, or by asking the person in front. */

import type { HostKey } from "@context-engine/core/Remote"
import * as Effect from "effect/Effect"
import { safe } from "../render/safe.js"
import { wrap } from "../render/text.js"
import { errorScreen } from "../screen.js"
import { confirm, isInteractive, say } from "../terminal.js"

type Prompt = (server: string, key: HostKey) => Effect.Effect<boolean>

/** The prompt for this command; `undefined` where nobody can be asked. A key is asked about once, not again for every service behind it. */
export const hostKeyPrompt = (accept: boolean): Prompt | undefined => {
  if (accept) {
    return (server, key) => Effect.as(say(`${safe(server)}: host key of ${describe(key)} accepted and pinned`), true)
  }
  if (!isInteractive()) return undefined
  const answers = new Map<string, boolean>()
  return (server, key) =>
    Effect.gen(function* () {
      const id = `${key.address} ${key.key}`
      const known = answers.get(id)
      if (known !== undefined) return known
      yield* say(wrap(question(server, key), errorScreen().columns).join("\n"))
      const answer = yield* confirm("Trust it from now on?")
      answers.set(id, answer)
      return answer
    })
}

const question = (server: string, key: HostKey): string =>
  `${safe(server)} is seen for the first time. Its host key is right only if the server itself says the same ` +
  `(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub): ${describe(key)}`

const describe = (key: HostKey): string => safe(`${key.address} (${key.algorithm} ${key.fingerprint})`)
