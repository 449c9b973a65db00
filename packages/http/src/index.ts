/**
 * The registry over HTTP: the contract, a server for it and a typed client.
 *
 * ```ts
 * import { make, serve } from "@context-engine/http"
 *
 * const server = serve({ db: "infra.db", port: 4400, token })
 * const program = Effect.gen(function* () {
 *   const client = yield* make({ baseUrl: "http://127.0.0.1:4400", token })
 *   return yield* client.services.list({ urlParams: { server: "myserver" } })
 * })
 * ```
 */

/** The contract, as an Effect `HttpApi`. */
export { Api } from "./api/Api.js"
/** What a request without the right token fails with. */
export { Unauthorized } from "./api/errors.js"
/** The typed client. */
export { type Client, type ClientOptions, make, makeWith } from "./client.js"
/** The server, as an effect that runs until interrupted and as a layer. */
export { ListenError, layer, type ServeError, type ServeOptions, serve } from "./serve.js"
