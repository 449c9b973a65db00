/** Folding a log of 100,000 events: into all read models, and as of a moment, beside merely reading the same rows. */
import { execFileSync } from "node:child_process"
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import * as AsOf from "@context-engine/core/services/AsOf"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import { layer } from "@context-engine/store/layer"
import * as SqlMaintenance from "@context-engine/store/SqlMaintenance"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { check, fleet } from "./events.js"
import { open } from "./raw.js"
import { median, type Row, time } from "./stats.js"

const size = 100_000

export const fill = (path: string, events: number) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    yield* log.append(fleet())
    for (let n = 0; n < events - 600; n += 1_000) {
      yield* log.append(Array.from({ length: 1_000 }, (_, i) => check(n + i)))
    }
  }).pipe(Effect.provide(layer(path)), Effect.runPromise)

export const measureReplay = async (directory: string): Promise<ReadonlyArray<Row>> => {
  const path = `${directory}/replay.db`
  await fill(path, size)
  const live = Layer.provideMerge(SqlMaintenance.layer, layer(path))
  const run = <A, E>(effect: Effect.Effect<A, E, Layer.Layer.Success<typeof live>>) =>
    Effect.runPromise(Effect.provide(effect, live))
  const rebuild = Effect.flatMap(Maintenance, (care) => care.rebuild())
  const past = Effect.provide(
    Effect.flatMap(ReadModels, (models) => models.servers.list()),
    AsOf.layer(String(size / 2)),
  )
  const reads: Array<number> = []
  const rebuilds: Array<number> = []
  const pasts: Array<number> = []
  for (let round = 0; round < 3; round++) {
    reads.push(await time(() => readAndParse(path)))
    rebuilds.push(await time(() => run(rebuild)))
    pasts.push(await time(() => run(past)))
  }
  const rate = (milliseconds: number) => Math.round(size / (milliseconds / 1000))
  const share = median(reads) / median(rebuilds)
  const megabytes = Math.round(peakOfRebuild(path) / 2 ** 10)
  return [
    {
      what: "replay 100,000 events into all read models",
      figure: `${rate(median(rebuilds))}/s (${Math.round(share * 100)} % of reading), at most ${megabytes} MB`,
      baseline: `read and parse the same rows ${rate(median(reads))}/s`,
      reach: "≥ 40 %, < 200 MB",
      ok: share >= 0.4 && megabytes < 200,
    },
    {
      what: "--at in the middle of 100,000 events",
      figure: `${(median(pasts) / 1000).toFixed(2)} s`,
      baseline: "",
      reach: "< 3 s",
      ok: median(pasts) < 3_000,
    },
  ]
}

/** The most memory, in kilobytes, that a process needs which does nothing but rebuild. */
const peakOfRebuild = (path: string): number => {
  const program = `
    import { Maintenance } from "@context-engine/core/services/Maintenance"
    import { layer } from "@context-engine/store/layer"
    import * as SqlMaintenance from "@context-engine/store/SqlMaintenance"
    import { Effect, Layer } from "effect"
    const rebuild = Effect.flatMap(Maintenance, (care) => care.rebuild())
    await Effect.runPromise(Effect.provide(rebuild, Layer.provideMerge(SqlMaintenance.layer, layer(process.argv[1]))))
    console.log(process.resourceUsage().maxRSS)`
  return Number(execFileSync(process.execPath, ["--input-type=module", "--eval", program, path], { encoding: "utf8" }))
}

/** The baseline: every row of the log, its JSON parsed, and nothing done with it. */
const readAndParse = (path: string): number => {
  const database = open(path)
  const page = database.prepare("SELECT * FROM events WHERE position > ? ORDER BY position LIMIT 1000").raw()
  let position = 0
  let bytes = 0
  for (let rows = page.all(position); rows.length > 0; rows = page.all(position)) {
    for (const row of rows) bytes += Object.keys(JSON.parse(row[6])).length + Object.keys(JSON.parse(row[7])).length
    position = rows[rows.length - 1][0]
  }
  database.close()
  return bytes
}
