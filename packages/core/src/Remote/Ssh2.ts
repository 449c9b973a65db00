/** Remote by SSH: verified host keys, keys and agent, jump hosts, one shared connection a host. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { RemoteError } from "../Errors.js"
import { type HostKey, Remote, type RemoteCommand, type RemoteRequest, type RemoteResult, type Target } from "../Remote.js"
import * as CommandLine from "./CommandLine.js"
import { execute } from "./Execution.js"
import { httpGet, nothingListens, within } from "./HttpGet.js"
import * as Connections from "./Ssh2/Connections.js"
import { isConnectFailed, isProhibited, lost } from "./Ssh2/Failures.js"
import { forward } from "./Ssh2/Forward.js"
import type { Connection } from "./Ssh2/Handshake.js"
import { rejection } from "./Ssh2/HostKeys.js"
import { hopTo, type SshTarget, way } from "./Ssh2/Hop.js"
import { type Ssh2Options, settings as withDefaults } from "./Ssh2/Options.js"
import { type NotBegun, start } from "./Ssh2/Session.js"
import { clean } from "./Text.js"

export type { Ssh2Options } from "./Ssh2/Options.js"

/** Remote for `Ssh` targets. The connections live as long as the scope. */
export const make = (options: Ssh2Options = {}): Effect.Effect<Remote["Type"], never, Scope.Scope> =>
  Effect.gen(function* () {
    const settings = withDefaults(options)
    const connections = yield* Connections.make(settings)
    const sessions = sessionsOf(settings.maxSessions)
    ...
  })
