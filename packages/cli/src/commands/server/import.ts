/** `context infra server import` */
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import type { Imported, ImportFinding, ImportReport } from "@context-engine/core/services/ServerImport"
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { choosing, file } from "../../options.js"
import { mayPick, pick } from "../../picking.js"
import { logIsThere } from "../../runtime/log.js"
import { load, withDiscovery } from "../../runtime.js"
import { print, progress, screen } from "../../terminal.js"
import { Refused } from "../../usage.js"

export const importServers = leaf({
  name: "import",
  description:
    "Reads the servers of ~/.ssh/config, with all that it includes, and shows which are new, changed or registered already. " +
    "Each is what ssh itself says it would do (ssh -G). Registers nothing unless --apply says so, and connects to none of them.",
  examples: ["server import", "server import --apply", "server import --config ./work-hosts --apply --yes"],
  options: { ...choosing, config: file("config", "Another file than ~/.ssh/config", "path") },
  run: (given) =>
    Effect.gen(function* () {
      yield* mayPick(given, `server import${given.config === undefined ? "" : ` --config ${given.config}`}`)
      if (!given.apply) yield* logIsThere(given.db)
      const config = yield* pathOf(given.config)
      return yield* withDiscovery({ ...given, acceptHostKey: false }, ({ imports }) =>
        Effect.gen(function* () {
          const report = yield* imports.read(config).pipe(progress("asking ssh"))
          if (report.files.length === 0) return yield* unread(given.config)
          if (!given.apply) return { ...report, applied: null }
          const chosen = yield* choose(report, given)
          return { ...report, applied: chosen.length === 0 ? nothing : yield* imports.apply(chosen) }
        }),
      )
    }),
  render: async ({ apply, config }) => {
    const { applied, imported } = await import("../../render/imported.js")
    return apply ? applied : imported(config)
  },
  unwell: ({ applied }) => (applied?.skipped.length ?? 0) > 0,
})

const pathOf = (config: string | undefined): Effect.Effect<string | undefined, Refused> => {
  if (config === undefined) return Effect.succeed(undefined)
  if (config.trim() === "") return new Refused({ message: "--config is empty", next: "name a file, or leave it out" })
  return Effect.succeed(config.startsWith("~/") ? join(homedir(), config.slice(2)) : resolve(config))
}

const unread = (config: string | undefined) =>
  new Refused({
    message: `there is no ${config ?? "~/.ssh/config"} that can be read`,
    next: "name another: context infra server import --config <path>",
  })

interface Asked {
  readonly apply: boolean
  readonly yes: boolean
  readonly json: boolean
}

const choose = (report: ImportReport, asked: Asked): Effect.Effect<ReadonlyArray<ImportFinding>> =>
  load(
    () => import("../../render/imported.js"),
    ({ found, titleOf }) =>
      Effect.gen(function* () {
        if (!asked.json) yield* print(`${found(report, screen())}\n`)
        const choices = report.findings
          .filter(({ change }) => change !== "same")
          .map((value) => ({ value, title: titleOf(value), marked: true }))
        return yield* pick(asked, "Which servers are to be registered?", choices)
      }),
  )

const nothing: Imported = { applied: [], skipped: [] }
