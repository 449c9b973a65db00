/** `context infra serve` */
import { randomBytes } from "node:crypto"
import { setting } from "@context-engine/store/setting"
import * as Effect from "effect/Effect"
import { leaf } from "../leaf.js"
import { flag, integer, text } from "../options.js"
import { safeJson } from "../render/safe.js"
import { machineKey } from "../runtime/key.js"
import { memory, named, needsFile, pathOfLog } from "../runtime/log.js"
import { load } from "../runtime.js"
import { print } from "../terminal.js"

export const serve = leaf({
  name: "serve",
  description:
    "Serves the HTTP API, on this machine only unless --host says otherwise. Every request needs the token: $CONTEXT_TOKEN, or " +
    "one that is made up and shown once. While a shared log is configured, a process beside it keeps both logs together.",
  examples: ["serve --port 4400", "serve --no-sync"],
  options: {
    port: integer("port", "The port to listen on (default: 4400)", 0),
    host: text("host", "address", "The address to listen on (default: 127.0.0.1)"),
    noSync: flag("no-sync", "Do not keep this log and the shared one together meanwhile"),
  },
  run: (given) =>
    Effect.gen(function* () {
      yield* needsFile("serve from")
      const db = yield* pathOfLog(given)
      const known = setting(process.env, "CONTEXT_TOKEN")
      const token = known ?? randomBytes(24).toString("base64url")
      const onListen = (url: string) =>
        print(given.json ? `${safeJson({ url, token })}\n` : announcement(url, known ?? token, known))
      const { keepSyncing } = yield* Effect.promise(() => import("../runtime/supervising.js"))
      const { remote } = yield* Effect.promise(() => import("../runtime/syncLayer.js"))
      const serving = load(
        () => import("@context-engine/http/serve"),
        (http) =>
          http.serve({
            db,
            port: given.port ?? 4400,
            host: given.host ?? "127.0.0.1",
            token,
            onListen,
            ...machineKey(),
            ...memory(given),
            ...named(given, db),
            remote: remote(given.db),
          }),
      )
      return yield* given.noSync ? serving : Effect.raceFirst(serving, keepSyncing(db))
    }),
})

const announcement = (url: string, token: string, known: string | undefined): string =>
  [
    `serving on ${url}, with docs at ${url}/docs`,
    known === undefined ? `token, shown this once: ${token}` : "token: the one in $CONTEXT_TOKEN",
    `try: curl -H "Authorization: Bearer ${known === undefined ? token : "$CONTEXT_TOKEN"}" ${url}/v1/status`,
    "",
  ].join("\n")
