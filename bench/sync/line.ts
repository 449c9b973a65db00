/** What pushing and cloning cost over the slow line, beside what the line itself costs. */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { Commands } from "@context-engine/core/Commands"
import * as Service from "@context-engine/core/domain/Service"
import { Registry } from "@context-engine/core/services/Registry"
import { remoteLog } from "@context-engine/store/sync/http"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type Machine, machine, sync } from "../../packages/store/test/support/machines.js"
import { median, type Row, time } from "../log/stats.js"
import type { Setting } from "./setting.js"

/** A hundred events, each a command of its own. */
export const measurePush = async ({ directory, line, sqld }: Setting): Promise<ReadonlyArray<Row>> => {
  const one = machine("one", remoteLog({ url: line.url, token: sqld.token() }), { path: join(directory, "push.db") })
  await one.run(registry(({ servers }) => servers.add({ name: "first" })))
  await sync(one)
  const bare: Array<number> = []
  const pushes: Array<number> = []
  let roundTrips = 0
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 100; i++) await one.run(registry(({ servers }) => servers.add({ name: `s${round}-${i}` })))
    bare.push(await time(async () => (await fetch(`${line.url}/health`)).text()))
    const report = await sync(one)
    pushes.push(report.duration * 1000)
    roundTrips = Math.max(roundTrips, report.roundTrips)
  }
  await one.close()
  return [
    {
      what: "100 events pushed",
      figure: `${roundTrips} round trip${roundTrips === 1 ? "" : "s"}, ${(median(pushes) / 1000).toFixed(2)} s (${(median(pushes) / median(bare)).toFixed(2)} ×)`,
      baseline: `a bare round trip ${(median(bare) / 1000).toFixed(2)} s`,
      reach: "≤ 3 round trips",
      ok: roundTrips <= 3,
    },
  ]
}

const size = 100_000

/** A whole log, by the first `sync connect` of a machine that has nothing. */
export const measureClone = async ({ directory, line, program, sqld }: Setting): Promise<ReadonlyArray<Row>> => {
  const source = machine("source", remoteLog({ url: sqld.url, token: sqld.token() }), { path: join(directory, "source.db") }) // biome-ignore format: one step
  await checks(source, size)
  await sync(source)
  await source.close()
  const env = {
    ...process.env,
    HOME: directory,
    // It only reads: whoever is not enrolled takes everything over, checks every signature, and then asks to be let in.
    CONTEXT_KEY: "off",
    CONTEXT_DB: join(directory, "clone.db"),
    CONTEXT_SYNC_FILE: join(directory, "clone.json"),
  }
  let asked = line.requests
  const took = await time(() => {
    const running = promisify(execFile)(process.execPath, [program, "infra", "sync", "connect", line.url], { env })
    running.child.stdin?.end(Redacted.value(sqld.token()))
    return running
  })
  asked = line.requests - asked
  const bare = median([await time(() => fetch(`${line.url}/health`)), await time(() => fetch(`${line.url}/health`))])
  return [
    {
      what: `a fresh machine takes over ${size.toLocaleString("en")} events`,
      figure: `${(took / 1000).toFixed(1)} s, ${asked} requests (${Math.round(size / (took / 1000))}/s)`,
      baseline: `as many bare round trips ${((asked * bare) / 1000).toFixed(1)} s`,
      reach: "< 40 s",
      ok: took < 40_000,
    },
  ]
}

const registry = <A>(use: (registry: Registry["Type"]) => Effect.Effect<A, unknown>) => Effect.flatMap(Registry, use)

/** Health checks of 500 services: what there is most of in a log that has grown old. */
const checks = (source: Machine, count: number) =>
  source.run(
    Effect.gen(function* () {
      const commands = yield* Commands
      const at = "2026-01-01T00:00:00.000Z"
      const { id: serverId } = yield* registry(({ servers }) => servers.add({ name: "s" }))
      const ids: Array<string> = []
      for (let i = 0; i < 500; i++)
        ids.push((yield* registry(({ services }) => services.add({ name: `a${i}`, server: "s" }))).id)
      const check = (service: string) =>
        Service.HealthChecked({ service, server: "s", serverId, status: "healthy", previous: "healthy", detail: "200 in 5 ms", latency: 5, at }) // biome-ignore format: one event
      for (let done = 501; done < count; done += 100) {
        const turn = ((done - 501) / 100) % ids.length
        const batch = Array(Math.min(100, count - done)).fill(check(`a${turn}`))
        yield* commands.record(Service.entity.aggregate, ids[turn] as string, batch)
      }
    }),
  )
