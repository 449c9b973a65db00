/** The bearer token that every route but `/healthz` asks for. */
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSecurity from "@effect/platform/HttpApiSecurity"
import { NotAuthorized } from "./errors.js"

export class Authorization extends HttpApiMiddleware.Tag<Authorization>()("@context-engine/http/Authorization", {
  failure: NotAuthorized,
  security: { bearer: HttpApiSecurity.bearer },
}) {}
