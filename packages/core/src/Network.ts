/**
 * Port: look at a name from outside, as a visitor would. Driver: `Network/Node.ts`.
 *
 * Each call has a deadline of its own, so that what hangs costs only itself. What servers say is data: it comes back on one
 * line, without control characters.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"

/** Nobody answered as asked. `unknown`: there is no such name. `protocol`: something answered, in another language. */
export class NetworkError extends Data.TaggedError("NetworkError")<{
  readonly reason: "unknown" | "timeout" | "refused" | "unreachable" | "protocol"
  readonly message: string
  readonly cause?: unknown
}> {}

/** What DNS says of a name; at least one of `a` and `aaaa` has an address. */
export interface DnsAnswer {
  readonly a: ReadonlyArray<string>
  readonly aaaa: ReadonlyArray<string>
  /** The name that it stands for, if it is an alias. */
  readonly cname: string | null
}

/** A place to connect to: an address, and the name that is meant there. */
export interface Asked {
  readonly address: string
  readonly name: string
  /** Milliseconds for the whole exchange. */
  readonly timeout: number
}

/** The certificate that is shown for a name. */
export interface Certificate {
  readonly issuer: string
  /** The names it is for. */
  readonly names: ReadonlyArray<string>
  /** ISO 8601 UTC. */
  readonly validFrom: string
  readonly validTo: string
  /** Why the chain is not to be trusted, in OpenSSL's words; `null` if it is. Expiry and names are not looked at. */
  readonly distrust: string | null
  readonly matchesName: boolean
}

/** The head of an answer. Redirects are not followed. */
export interface HttpHead {
  readonly status: number
  readonly location: string | null
  /** Milliseconds from the request to the head. */
  readonly latency: number
}

export class Network extends Context.Tag("@context-engine/core/Network")<
  Network,
  {
    readonly resolve: (name: string, timeout: number) => Effect.Effect<DnsAnswer, NetworkError>
    /** Shakes hands on the port for HTTPS and looks at what is shown, whether it is to be trusted or not. */
    readonly certificate: (asked: Asked) => Effect.Effect<Certificate, NetworkError>
    /** `GET` of a path. Certificates are not looked at: `certificate` does. */
    readonly get: (
      asked: Asked & { readonly secure: boolean; readonly path: string },
    ) => Effect.Effect<HttpHead, NetworkError>
  }
>() {}
