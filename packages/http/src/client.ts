/** The typed client: every route of the contract as a method, with the domain's own errors. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import { Api } from "./api/Api.js"

export interface ClientOptions {
  /** Where the server is: `http://127.0.0.1:4400`. */
  readonly baseUrl: string
  readonly token: string
  /** For whom the program asks: noted in the log as the actor. One line of at most 64 ASCII characters. */
  readonly actor?: string
}

/**
 * Makes a client over `fetch`.
 *
 * `deploy` and `rollback` wait for the end. Node's `fetch` gives up after five minutes without an answer; the deployment goes
 * on, and `deployments.list` tells how it ended.
 */
export const make = (options: ClientOptions) => Effect.provide(makeWith(options), FetchHttpClient.layer)

/** Makes a client over the `HttpClient` in the context. */
export const makeWith = ({ actor, baseUrl, token }: ClientOptions) =>
  HttpApiClient.make(Api, {
    baseUrl,
    transformClient: HttpClient.mapRequest((request) =>
      HttpClientRequest.setHeaders(HttpClientRequest.bearerToken(request, token), {
        ...(actor === undefined ? {} : { "x-context-actor": actor }),
      }),
    ),
  })

export type Client = Effect.Effect.Success<ReturnType<typeof make>>
