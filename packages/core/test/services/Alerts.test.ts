import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { Commands } from "../../src/Commands.js"
import { CommandRejected, rejection } from "../../src/domain/Rejection.js"
import * as Server from "../../src/domain/Server.js"
import * as Service from "../../src/domain/Service.js"
import { EventLog } from "../../src/EventLog.js"
import { Origin } from "../../src/Origin.js"
import { Alerts } from "../../src/services/Alerts.js"
import { Overview } from "../../src/services/Overview.js"
import { Registry } from "../../src/services/Registry.js"
import { Sync, type SyncStatus } from "../../src/services/Sync.js"
import { syncAlerts } from "../../src/services/sync/alerts.js"
import { layerMemory } from "../../src/testing/memory.js"
import { refolded } from "../support/refolded.js"

const well: SyncStatus = {
  remote: "https://example.com",
  logId: "log",
  confirmed: 5,
  pending: 0,
  pendingSince: null,
  behind: 0,
  lastContact: "2026-11-22T12:00:00.000Z",
  skew: 0,
  lastError: null,
  rejected: 0,
  unknown: [],
  inert: 0,
  inertEvents: [],
  breaks: [],
  roots: [],
  wrongClocks: [],
  clonedAt: null,
  keyTrouble: null,
  enrolment: "enrolled",
  asking: [],
  loss: null,
}

type World = Alerts | Commands | EventLog | Overview | Registry

const inWorld = <A, E>(story: Effect.Effect<A, E, World>, status: SyncStatus = well) =>
  Effect.runPromise(
    story.pipe(
      Effect.zipLeft(refolded),
      Effect.provide(
        Layer.mergeAll(Alerts.layer, Overview.layer, Registry.layer).pipe(
          Layer.provide(Layer.succeed(Sync, { status: Effect.succeed(status) } as unknown as Sync["Type"])),
          Layer.provideMerge(layerMemory()),
        ),
      ),
      Effect.provideService(Origin, { actor: "ada", via: "cli", machine: "laptop" }),
    ),
  )

const list = Effect.flatMap(Alerts, (alerts) => alerts.list)
const at = "2026-11-22T12:00:00.000Z"

/** A server with a service. */
const registered = Effect.gen(function* () {
  const { servers, services } = yield* Registry
  const server = yield* servers.add({ name: "edge" })
  const service = yield* services.add({ name: "api", server: "edge" })
  return { server, service }
})

const serverChecked = (id: string, status: "online" | "offline", previous: "online" | "offline") =>
  Effect.flatMap(Commands, (commands) =>
    commands.record(Server.entity.aggregate, id, [
      Server.ServerChecked({ server: "edge", status, previous, reason: status === "offline" ? "no route" : null, os: null, resources: null, at }), // biome-ignore format: one event
    ]),
  )

describe("alerts", () => {
  it("are none where all is well, or nothing is known", async () => {
    expect(await inWorld(Effect.zipRight(registered, list))).toEqual([])
  })

  it("name a server that is away since it is, however often it was checked, and forget it when it is back", async () => {
    const [alerts, later] = await inWorld(
      Effect.gen(function* () {
        const { server } = yield* registered
        yield* serverChecked(server.id, "offline", "online")
        const [first] = yield* list
        yield* serverChecked(server.id, "offline", "offline")
        const again = yield* list
        expect(again).toEqual([first])
        yield* serverChecked(server.id, "online", "offline")
        return [again, yield* list] as const
      }),
    )
    expect(alerts).toMatchObject([
      {
        kind: "server",
        severity: "critical",
        subject: "edge",
        message: "offline: no route",
        next: "context infra server status edge",
      },
    ])
    expect(alerts[0]?.since).toMatch(/^20/)
    expect(later).toEqual([])
  })

  it("name services that are unwell and deployments that failed, the gravest first", async () => {
    const alerts = await inWorld(
      Effect.gen(function* () {
        const { server, service } = yield* registered
        const commands = yield* Commands
        const named = { service: "api", server: "edge", serverId: server.id }
        const deployment = { ...named, deploymentId: "d1", version: "v2" }
        yield* commands.record(Service.entity.aggregate, service.id, [
          Service.HealthChecked({ ...named, status: "degraded", previous: "unknown", detail: "slow", latency: 3_000, at }), // biome-ignore format: one event
          Service.DeploymentStarted({ ...deployment, previousVersion: null, deployedBy: "ada", method: "manual", notes: null, at }), // biome-ignore format: one event
          Service.DeploymentStepEnded({ ...deployment, step: "command", ok: false, exitCode: 1, duration: 1 }),
          Service.DeploymentFailed({ ...deployment, duration: 1, logs: "", at, reason: "exit status 1" }),
        ])
        return yield* list
      }),
    )
    expect(alerts).toMatchObject([
      { kind: "deployment", severity: "error", subject: "edge/api", since: at, message: /exit status 1/ },
      { kind: "service", severity: "warning", subject: "edge/api", message: "degraded: slow" },
    ].map((alert) => ({ ...alert, message: expect.stringMatching(alert.message) }))) // biome-ignore format: a list
    expect(alerts[0]?.next).toBe("context infra rollback edge/api")
  })

  it("name a deployment whose end nobody told in the time that it may take", async () => {
    const begun = (minutes: number, deploySettings: Service.DeploySettings | null) =>
      inWorld(
        Effect.gen(function* () {
          const { server, service } = yield* registered
          if (deploySettings !== null) yield* (yield* Registry).services.update("api", { deploySettings })
          const named = { service: "api", server: "edge", serverId: server.id }
          const startedAt = new Date(Date.now() - minutes * 60_000).toISOString()
          yield* (yield* Commands).record(Service.entity.aggregate, service.id, [
            Service.DeploymentStarted({ ...named, deploymentId: "d1", version: "v2", previousVersion: null, deployedBy: "ada", method: "manual", notes: null, at: startedAt }), // biome-ignore format: one event
          ])
          return yield* list
        }),
      )
    expect(await begun(20, null)).toEqual([])
    expect(await begun(22, null)).toMatchObject([
      {
        kind: "deployment",
        severity: "warning",
        message: "how its last deployment ended is not known: whoever began it on laptop has not told",
        next: "context infra deploy attach edge/api",
      },
    ])
    const slow = { timeout: "1h", healthTimeout: "10m" }
    expect(await begun(74, slow)).toEqual([])
    expect(await begun(76, slow)).toMatchObject([{ kind: "deployment" }])
  })

  it("name a command that was refused, and so does the overview", async () => {
    const [alerts, status] = await inWorld(
      Effect.gen(function* () {
        const { server } = yield* registered
        const log = yield* EventLog
        const [added] = yield* log.read(`server-${server.id}`)
        const data = { commandId: "c", outcome: "refused" as const, reason: "it is there already", actor: "bob", machine: "phone", events: [added!], signature: null } // biome-ignore format: one event
        const event = { id: "019a0000-0000-7000-8000-00000000000a", meta: added!.meta, occurredAt: at }
        yield* log.append([
          {
            stream: `${rejection.name}-${added!.id}`,
            expected: 0,
            events: [{ ...CommandRejected(data), ...event, schema: CommandRejected.schema }],
          },
        ])
        return [yield* list, yield* Effect.flatMap(Overview, (_) => _.status)] as const
      }),
    )
    expect(alerts).toMatchObject([
      { kind: "rejected", severity: "warning", subject: "bob@phone", since: at, message: /it is there already/ },
    ].map((alert) => ({ ...alert, message: expect.stringMatching(alert.message) }))) // biome-ignore format: a list
    expect(alerts[0]?.next).toContain("context infra sync rejected retry ")
    expect(status).toMatchObject({ ok: false, rejected: 1 })
  })
})

describe("trouble with the shared log", () => {
  const now = Date.parse(at)
  const kinds = (status: Partial<SyncStatus>) =>
    syncAlerts({ ...well, ...status }, now).map(({ next, severity }) => `${severity}: ${next}`)
  const failed = (reason: NonNullable<SyncStatus["lastError"]>["reason"]) =>
    kinds({ lastError: { reason, message: "m", at, next: "the way out" } })

  it("is named with what to do about it", () => {
    expect(failed("offline")).toEqual(["warning: the way out"])
    expect(failed("rolled-back")).toEqual(["error: the way out"])
    expect(kinds({ skew: -60_001 })).toEqual(["warning: set the clock of this machine"])
    expect(kinds({ unknown: [{ type: "MoonLanded@1", by: "laptop" }] })).toEqual([
      "error: upgrade context on this machine; or if laptop was stolen, context infra machine revoke laptop on an admin machine",
    ])
    const waits = { pending: 3, pendingSince: "2026-11-22T11:49:59.000Z" }
    expect(kinds(waits)).toEqual(["warning: context infra sync now"])
    // What keeps it from going on leads on, and nothing else.
    const lastError = { reason: "to-merge" as const, message: "m", at, next: "the way out" }
    expect(kinds({ ...waits, lastError })).toEqual(["error: the way out", "warning: the way out"])
    const strange = { ...waits, logId: null, enrolment: "not-enrolled" as const }
    const join = expect.stringContaining("context infra sync join")
    expect(kinds(strange)).toEqual([join, join])
  })

  it("is graver where this machine was turned away than where it waits", () => {
    const lastError = { reason: "not-enrolled" as const, message: "m", at, next: "the way out" }
    expect(kinds({ lastError, enrolment: "waiting" })).toEqual(["warning: the way out"])
    expect(kinds({ lastError, enrolment: "revoked" })).toEqual(["error: the way out"])
  })

  it("names a key that may not write to a log that is shared with nobody", () => {
    const connect = expect.stringContaining("error: context infra sync connect <url> --invite")
    const join = expect.stringContaining("error: context infra sync join")
    for (const enrolment of ["not-enrolled", "revoked"] as const) {
      expect(kinds({ logId: null, remote: null, enrolment })).toEqual([connect])
      expect(kinds({ logId: null, enrolment })).toEqual([join])
    }
    expect(kinds({ enrolment: "not-enrolled" })).toEqual([])
  })

  it("is named with the root that waits for a word, once", () => {
    const roots = [{ name: "desk", position: 9, fingerprint: "7g2k-m0xq-91vd-c3aa" }]
    const inertEvents = [{ position: 9, reason: "not accepted", claims: "ada@desk", type: "RootEstablished" }]
    expect(kinds({ roots, inert: 1, inertEvents })).toEqual([
      "error: context infra machine trust 7g2k-m0xq-91vd-c3aa, if desk shows the same",
    ])
  })

  it("names a few of the events that count for nothing, however many there are", () => {
    const inertEvents = Array.from({ length: 20 }, (_, index) => ({
      position: index + 7,
      reason: "it is not signed",
      claims: "root@vm",
      type: "ServerUpdated",
    }))
    const [alert] = syncAlerts({ ...well, inert: 5_000, inertEvents }, now)
    expect(alert).toMatchObject({ kind: "sync", severity: "error" })
    expect(alert?.message).toContain(
      '5000 events count for nothing: "ServerUpdated" at 7, which says it is of "root@vm"',
    )
    expect(alert?.message).toContain("and 4997 more")
    expect(alert?.message.length).toBeLessThan(300)
    const breaks = [{ position: 9, message: "unit 3 of laptop is missing" }]
    expect(kinds({ breaks })[0]).toContain("context infra machine acknowledge")
  })

  it("names the machines that ask to write to the log, a few of them, each with what leads on", () => {
    const asking = Array.from({ length: 20 }, (_, index) => ({ name: `w${index}`, fingerprint: `f${index}` }))
    const found = syncAlerts({ ...well, asking }, now)
    expect(found.map(({ message }) => message)).toEqual([
      "w0 asks to write to this log; its fingerprint is f0",
      "w1 asks to write to this log; its fingerprint is f1",
      "w2 asks to write to this log; its fingerprint is f2",
      "17 more ask to write to it",
    ])
    expect(found[0]).toMatchObject({ kind: "sync", severity: "warning" })
    expect(found[0]?.next).toContain("context infra machine approve f0")
    expect(found[3]?.next).toBe("context infra machine list")
  })

  it("is none where events have just been appended, or clocks differ by seconds", () => {
    expect(kinds({ skew: 60_000, pending: 3, pendingSince: "2026-11-22T11:59:00.000Z" })).toEqual([])
  })
})
