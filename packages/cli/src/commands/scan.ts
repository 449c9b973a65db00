/** `context infra scan [server…]` */

import type { Applied, Finding, Scanner, ServerScan } from "@context-engine/core/services/Scanner"
import * as Effect from "effect/Effect"
import { leaf } from "../leaf.js"
import { argumentList, choosing, connecting, flag, text } from "../options.js"
import { mayPick, pick } from "../picking.js"
import type { Discovery } from "../runtime/discovery.js"
import { logIsThere } from "../runtime/log.js"
import { load, withDiscovery } from "../runtime.js"
import { millis } from "../since.js"
import { print, progress, relabel, screen } from "../terminal.js"
import { UsageError } from "../usage.js"

export const scan = leaf({
  name: "scan",
  description:
    "Finds out what runs on every server, or on the named ones, and shows how it differs from the registry: new, changed and gone, " +
    "each with its evidence. Registers nothing unless --apply says so. Looks in systemd, docker, podman, pm2, listening sockets, " +
    "nginx, caddy and cron, and changes nothing there. " +
    "Marked at first, and taken by --yes, is what is new or changed and at least half certain; what is gone only with --gone.",
  examples: ["scan", "scan myserver --apply", "scan --apply --yes", "scan --check --json"],
  args: { servers: argumentList("server", "A server; all of them if none is named") },
  options: {
    ...connecting,
    ...choosing,
    gone: flag("gone", "With --apply: mark what is gone, too, to be removed with all that hangs on it"),
    check: flag("check", "Exit status 1 if anything differs"),
    timeout: text("timeout", "span", "How long each server may take, connecting included (default: 60s)"),
  },
  run: (given) =>
    Effect.gen(function* () {
      const { apply, check, gone } = given
      if (apply && check) return yield* unusable("--check only looks: leave --apply out")
      if (gone && !apply) return yield* unusable("--gone goes with --apply")
      yield* mayPick(given, ["scan", ...given.servers].join(" "))
      if (!apply) yield* logIsThere(given.db)
      const timeout = yield* millis("--timeout", given.timeout, "scan")
      return yield* withDiscovery(given, ({ scanner }) =>
        Effect.flatMap(scanAll(scanner, given.servers, timeout), (scans) =>
          apply ? applyAll(scanner, scans, given) : Effect.succeed(scans.map((one) => ({ ...one, applied: null }))),
        ),
      )
    }),
  render: async ({ apply }) => {
    const { applied, scans } = await import("../render/scan.js")
    return apply ? applied : scans
  },
  unwell: (scans, { check }) =>
    scans.some(
      ({ applied, error, report }) =>
        error !== null || (applied?.skipped.length ?? 0) > 0 || (check && (report?.findings.length ?? 0) > 0),
    ),
})

const unusable = (message: string) => new UsageError({ message, see: "context infra scan --help" })

/** The progress line says how many are still at it. */
const scanAll = (scanner: Scanner["Type"], servers: ReadonlyArray<string>, timeout: number | undefined) => {
  let over = 0
  const onScan = () => Effect.suspend(() => relabel(`scanning, ${++over} done`))
  return scanner.scanAll(servers, { timeout, onScan }).pipe(progress("scanning"))
}

interface Asked {
  readonly apply: boolean
  readonly yes: boolean
  readonly gone: boolean
  readonly json: boolean
}

/** Below this it is rather a guess. */
const certain = 0.5

const isMarked = ({ change, confidence }: Finding, gone: boolean): boolean =>
  confidence >= certain && (gone || change !== "gone")

/** Shows what was found, asks what of it is to be registered, and registers that, a server at a time. */
const applyAll = (scanner: Discovery["scanner"], scans: ReadonlyArray<ServerScan>, asked: Asked) =>
  load(
    () => import("../render/scan.js"),
    ({ found, titleOf }) =>
      Effect.forEach(scans, (scan) =>
        Effect.gen(function* () {
          if (!asked.json) yield* print(`${found(scan, screen())}\n`)
          const findings = scan.report?.findings ?? []
          const choices = findings.map((value) => ({
            value,
            title: titleOf(value),
            marked: isMarked(value, asked.gone),
          }))
          const chosen = yield* pick(asked, `What of ${scan.server} is to be registered?`, choices)
          const applied = chosen.length === 0 ? nothing : yield* scanner.apply(scan.server, chosen)
          return { ...scan, applied: scan.report === null ? null : applied }
        }),
      ),
  )

const nothing: Applied = { applied: [], skipped: [] }
