/** Network by Node: DNS, TLS and HTTP(S). */
import { Resolver } from "node:dns/promises"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Asked, type Certificate, type DnsAnswer, type HttpHead, Network, NetworkError } from "../Network.js"

export interface NodeOptions {
  /** Name servers, `address[:port]`. Default: the system's. */
  readonly resolvers?: ReadonlyArray<string>
  /** Certificates (PEM) to trust besides the well-known ones. */
  readonly ca?: ReadonlyArray<string>
  /** Default 80 and 443. */
  readonly ports?: { readonly http: number; readonly https: number }
}

export const make = (options: NodeOptions = {}): Network["Type"] => ({
  resolve: (name, timeout) => resolve(name, timeout, options),
  certificate: (asked) => certificate(asked, options),
  get: (asked) => get(asked, options),
})

export const layerWith = (options: NodeOptions): Layer.Layer<Network> => Layer.succeed(Network, make(options))

export const layer: Layer.Layer<Network> = layerWith({})

/** That there is no record of a kind is an answer; that there is no such name is one, too. */
const resolve = (name: string, timeout: number, options: NodeOptions): Effect.Effect<DnsAnswer, NetworkError> =>
  Effect.gen(function* () {
    const resolver = new Resolver({ timeout: Math.max(500, Math.floor(timeout / 2)), tries: 1 })
    if (options.resolvers !== undefined) resolver.setServers(options.resolvers)
    const ask = (records: () => Promise<ReadonlyArray<string>>) =>
      Effect.either(Effect.tryPromise({ try: records, catch: (cause) => cause as NodeJS.ErrnoException }))
    const [a, aaaa, cname] = yield* Effect.all(
      [ask(() => resolver.resolve4(name)), ask(() => resolver.resolve6(name)), ask(() => resolver.resolveCname(name))],
      { concurrency: "unbounded" },
    ).pipe(
      Effect.onInterrupt(() => Effect.sync(() => resolver.cancel())),
      within(timeout, `DNS gave no answer about ${name}`),
    )
    const found = {
      a: a._tag === "Right" ? a.right : [],
      aaaa: aaaa._tag === "Right" ? aaaa.right : [],
      cname: cname._tag === "Right" ? (cname.right[0] === undefined ? null : line(cname.right[0])) : null,
    }
    if (found.a.length + found.aaaa.length > 0) return found
    return yield* unresolved(
      name,
      found.cname,
      [a, aaaa].flatMap((one) => (one._tag === "Left" ? [one.left.code ?? ""] : [])),
    )
  })

const unresolved = (name: string, cname: string | null, codes: ReadonlyArray<string>): NetworkError => {
  if (codes.includes("ENOTFOUND")) return new NetworkError({ reason: "unknown", message: `DNS knows no ${name}` })
  if (codes.every((code) => code === "ENODATA")) {
    const alias = cname === null ? "" : `, and none for ${cname} that it stands for`
    return new NetworkError({ reason: "unknown", message: `DNS has no address for ${name}${alias}` })
  }
  const late = codes.includes("ETIMEOUT")
  return new NetworkError({
    reason: late ? "timeout" : "unreachable",
    message: `DNS gave no answer about ${name} (${late ? "timed out" : codes.join(", ")})`,
  })
}

const certificate = (asked: Asked, options: NodeOptions): Effect.Effect<Certificate, NetworkError> =>
  Effect.async<Certificate, NetworkError>((resume) => {
    const port = options.ports?.https ?? 443
    const socket = Tls.connect({
      host: asked.address,
      port,
      servername: asked.name,
      rejectUnauthorized: false,
      ...trust(options),
    })
    socket.on("error", (error) => resume(Effect.fail(failure(asked, port, "TLS", error))))
    socket.once("secureConnect", () => {
      resume(Effect.succeed(read(socket, asked.name)))
      socket.destroy()
    })
    return Effect.sync(() => socket.destroy())
  }).pipe(within(asked.timeout, `${asked.address} did not shake hands for ${asked.name}`))

const trust = ({ ca }: NodeOptions) => (ca === undefined ? {} : { ca: [...Tls.rootCertificates, ...ca] })

/** Whether it is in time, and for this name, is told apart from the chain. */
const aboutTime = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID", "ERR_TLS_CERT_ALTNAME_INVALID"])

const read = (socket: Tls.TLSSocket, name: string): Certificate => {
  const shown = socket.getPeerCertificate()
  const error = socket.authorizationError as unknown as NodeJS.ErrnoException | string | null
  const code = typeof error === "string" ? error : (error?.code ?? error?.message ?? null)
  const { O: organisation, CN: common } = (shown.issuer ?? {}) as { readonly O?: unknown; readonly CN?: unknown }
  return {
    issuer: line([organisation, common].filter((part) => typeof part === "string").join(" ")) || "nobody",
    names: (shown.subjectaltname ?? "")
      .split(", ")
      .flatMap((part) => (part.startsWith("DNS:") ? [line(part.slice(4))] : []))
      .slice(0, 100),
    validFrom: instant(shown.valid_from),
    validTo: instant(shown.valid_to),
    distrust: code === null || aboutTime.has(code) ? null : line(code),
    matchesName: Object.keys(shown).length > 0 && Tls.checkServerIdentity(name, shown) === undefined,
  }
}

const instant = (text: string | undefined): string => {
  const millis = Date.parse(text ?? "")
  return new Date(Number.isNaN(millis) ? 0 : millis).toISOString()
}

const get = (
  asked: Asked & { readonly secure: boolean; readonly path: string },
  options: NodeOptions,
): Effect.Effect<HttpHead, NetworkError> =>
  Effect.async<HttpHead, NetworkError>((resume) => {
    const port = asked.secure ? (options.ports?.https ?? 443) : (options.ports?.http ?? 80)
    const fail = (error: Error) => resume(Effect.fail(failure(asked, port, "HTTP", error)))
    const began = performance.now()
    const sent = send(asked, port, fail)
    sent?.on("response", (response) => {
      const { headers, statusCode = 0 } = response
      const location = headers.location === undefined ? null : line(headers.location, 2_000)
      resume(Effect.succeed({ status: statusCode, location, latency: Math.round(performance.now() - began) }))
      response.on("error", () => {})
      sent.destroy()
    })
    return Effect.sync(() => sent?.destroy())
  }).pipe(within(asked.timeout, `${asked.address} gave no answer for ${asked.name}`))

const send = (
  { address, name, path, secure }: Asked & { readonly secure: boolean; readonly path: string },
  port: number,
  fail: (error: Error) => void,
): Http.ClientRequest | undefined => {
  const headers = { host: name, "user-agent": "context-infra route check", accept: "*/*" }
  const request = { host: address, port, path, headers, agent: false as const }
  try {
    const sent = secure
      ? Https.request({ ...request, servername: name, rejectUnauthorized: false })
      : Http.request(request)
    return sent.on("error", fail).end()
  } catch (error) {
    // Node refuses a path with spaces or control characters before anything is sent.
    fail(error as Error)
    return undefined
  }
}

const within =
  (timeout: number, what: string) =>
  <A>(effect: Effect.Effect<A, NetworkError>): Effect.Effect<A, NetworkError> =>
    Effect.timeoutFail(effect, {
      duration: timeout,
      onTimeout: () => new NetworkError({ reason: "timeout", message: `${what} within ${timeout / 1000} s` }),
    })

const failure = ({ address, name }: Asked, port: number, protocol: string, cause: Error): NetworkError => {
  const { code = "", message } = cause as NodeJS.ErrnoException
  if (code === "ECONNREFUSED") {
    return new NetworkError({ reason: "refused", message: `nothing listens on port ${port} of ${address}`, cause })
  }
  if (/^(?:EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EADDRNOTAVAIL|EINVAL)$/.test(code)) {
    return new NetworkError({
      reason: "unreachable",
      message: `${address} cannot be reached from here (${code})`,
      cause,
    })
  }
  const said = `port ${port} of ${address} does not speak ${protocol} for ${name}: ${line(code || message)}`
  return new NetworkError({ reason: "protocol", message: said, cause })
}

/** One line without control, bidirectional or other invisible characters, and not too long. */
const line = (text: string, most = 200): string =>
  text
    .slice(0, most)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ")
    .trim()
