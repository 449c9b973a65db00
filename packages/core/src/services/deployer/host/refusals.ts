/** What is said where a host does not keep the ledger as it should. Pure. */
import type * as Effect from "effect/Effect"
import { OperationFailed, RemoteError } from "../../../Errors.js"
import { plain } from "../output.js"
import type { Place } from "./Ledger.js"

/** The host cannot keep what a deployment has to keep there. */
export const refusal = ({ server }: Place, why: string): Effect.Effect<never, OperationFailed> => {
  const full = /no space|quota/i.test(why)
  return new OperationFailed({
    operation: "deploy",
    message: `${server.name} cannot keep the ledger of a deployment in ~/.context${full ? ", its disk is full" : ""}; nothing was run: ${plain(why).slice(0, 200)}`,
    next: full ? "make room there, then deploy again" : "make ~/.context writable for that login, then deploy again",
  })
}

/** The project path leads nowhere. */
export const nowhere = ({ server }: Place, path: string | null) =>
  new OperationFailed({
    operation: "deploy",
    message: `the project path ${path} cannot be entered on ${server.name}`,
    next: "nothing was run",
  })

/** The lock was taken over before anything ran. */
export const lostLock = ({ server, service }: Place) =>
  new OperationFailed({
    operation: "deploy",
    message: `somebody else took the deploy lock of ${service} on ${server.name} before anything was run`,
    next: `context infra deploy ${server.name}/${service}`,
  })

/** What the host said is no reply. */
export const unusable = ({ server }: Place, said: string) =>
  new OperationFailed({
    operation: "deploy",
    message: `${server.name} could not keep the ledger of a deployment: ${said.slice(0, 200) || "it said nothing"}`,
    next: "is its login shell a POSIX one, and is HOME set there?",
  })

/** The link broke, or what followed was ended. */
export const cutShort = ({ server }: Place, said: string) =>
  new RemoteError({
    reason: "connection-lost",
    host: server.name,
    message: `${server.name} stopped telling about the deployment${said === "" ? "" : `: ${said.slice(0, 200)}`}`,
  })
