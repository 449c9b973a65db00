/** What people see of scans, imports and route checks, and what they choose from, at 80 and at 40 columns. */
import type { RouteReport } from "@context-engine/core/services/RouteCheck"
import type { Finding, ServerScan } from "@context-engine/core/services/Scanner"
import type { ImportFinding, ImportReport } from "@context-engine/core/services/ServerImport"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { frame, press } from "../../src/multiSelect.js"
import { pick } from "../../src/picking.js"
import { imported } from "../../src/render/imported.js"
import { routeCheck } from "../../src/render/routeCheck.js"
import { applied, scans, titleOf } from "../../src/render/scan.js"
import { type Screen, width } from "../../src/render/text.js"

const on = (columns: number): Screen => ({ columns, colour: false, now: 0 })
const widest = (text: string) => Math.max(...text.split("\n").map(width))
const hostile = "\u001b[31mevil\u001b[0m\u202e\u0007\nnext"

const finding = (about: Partial<Finding> = {}): Finding => ({
  id: "service api",
  kind: "service",
  change: "new",
  name: "api",
  fields: [
    { field: "port", from: null, to: 3000 },
    { field: "projectPath", from: null, to: "/srv/api" },
    { field: "config", from: null, to: { unit: "api.service" } },
  ],
  confidence: 0.88,
  evidence: [{ source: "sockets", detail: "node listens on 127.0.0.1:3000" }],
  proposal: { _tag: "RemoveService", serviceId: "x" },
  ...about,
})

const scan = (findings: ReadonlyArray<Finding>, unchanged = 2): ServerScan => ({
  server: "box",
  report: {
    server: "box",
    scannedAt: "2026-11-22T12:00:00.000Z",
    took: 900,
    sources: [
      { source: "docker", status: "late", found: 0 },
      { source: "caddy", status: "absent", found: 0 },
    ],
    findings,
    unchanged,
  },
  error: null,
})

const dead: ServerScan = {
  server: "dead",
  report: null,
  error: { reason: "timeout", message: "dead: it did not end within 60 s" },
}

const changed = finding({
  id: "service web",
  name: "web",
  change: "changed",
  fields: [{ field: "port", from: 80, to: 8080 }],
  confidence: 0.6,
})

describe("a scan", () => {
  it("at 80 columns", () => {
    expect(scans([scan([finding(), changed]), dead], on(80))).toBe(
      [
        "box: 1 new, 1 changed; 2 as registered",
        "! docker did not answer in time",
        "",
        "  + service api, high (88%)",
        "      port 3000, project /srv/api, config unit=api.service",
        "      · node listens on 127.0.0.1:3000",
        "",
        "  ~ service web, medium (60%)",
        "      port 80 → 8080",
        "      · node listens on 127.0.0.1:3000",
        "",
        "✗ dead: it did not end within 60 s",
        "",
        "nothing was registered; choose what is to be: context infra scan box --apply",
      ].join("\n"),
    )
  })

  it("at 40 columns", () => {
    const text = scans([scan([finding()], 0), dead], on(40))
    expect(text).toBe(
      [
        "box: 1 new",
        "! docker did not answer in time",
        "",
        "  + service api, high (88%)",
        "      port 3000, project /srv/api,",
        "      config unit=api.service",
        "      · node listens on 127.0.0.1:3000",
        "",
        "✗ dead: it did not end within 60 s",
        "",
        "nothing was registered; choose what is",
        "to be: context infra scan box --apply",
      ].join("\n"),
    )
    expect(widest(text)).toBeLessThanOrEqual(40)
  })

  it("says when nothing differs, and when nothing is there", () => {
    expect(scans([scan([])], on(80))).toBe("box: 2 as registered\n! docker did not answer in time")
    expect(scans([scan([], 0)], on(80))).toMatch(/^box: nothing was found\n/)
    expect(scans([], on(80))).toMatch(/^no servers yet\n/)
  })

  it("lets no name, value or evidence act on the terminal", () => {
    const evil = finding({
      name: hostile,
      fields: [{ field: "projectPath", from: hostile, to: hostile }],
      evidence: [{ source: "cron", detail: hostile }],
    })
    for (const columns of [80, 40]) {
      const text = scans(
        [
          { ...scan([evil]), server: hostile },
          { ...dead, server: hostile },
        ],
        on(columns),
      )
      for (const part of ["\u001b", "\u202e", "\u0007"]) expect(text).not.toContain(part)
    }
    expect(frame(on(40), [titleOf(evil)], { at: 0, marked: new Set() }, 5).join("")).not.toContain("\u001b")
  })

  it("what became of it: registered, removed, and left out with the reason", () => {
    const findings = [finding(), finding({ id: "service old", change: "gone", name: "old" })]
    const outcome = {
      applied: ["service api", "service old"],
      skipped: [{ id: "route a.example.com", reason: "service web is not registered: choose it, too" }],
    }
    expect(applied([{ ...scan(findings), applied: outcome }], on(80))).toBe(
      "✓ box: registered service api; removed service old\n✗ box: route a.example.com: service web is not registered: choose it, too",
    )
    const none = { applied: [], skipped: [] }
    expect(applied([{ ...scan(findings), applied: none }], on(80))).toBe("✓ box: nothing was chosen")
    expect(applied([{ ...scan([]), applied: none }], on(80))).toBe("✓ box: nothing differs")
  })
})

describe("an import", () => {
  const server: ImportFinding = {
    host: "web",
    aliases: [],
    change: "new",
    name: "web",
    candidate: {
      name: "web",
      hostname: "web.example.com",
      ipAddresses: [],
      sshConfig: { user: "ada", port: 22, keyPath: "~/.ssh/work", jumpHost: null },
    },
    fields: [
      { field: "hostname", from: null, to: "web.example.com" },
      { field: "keyPath", from: null, to: "~/.ssh/work" },
    ],
  }
  const report: ImportReport = {
    findings: [server],
    skipped: [{ host: hostile, reason: "holds characters that no name of a host has" }],
    files: ["/home/ada/.ssh/config"],
  }

  it("at 80 and at 40 columns", () => {
    expect(imported(undefined)(report, on(80))).toBe(
      [
        "1 server in 1 file: 1 new",
        "",
        "  + server web",
        "      hostname web.example.com, key ~/.ssh/work",
        "",
        "! evil next: holds characters that no name of a host has",
        "",
        "nothing was registered; choose what is to be: context infra server import",
        "--apply",
      ].join("\n"),
    )
    expect(widest(imported("a file")(report, on(40)))).toBeLessThanOrEqual(40)
  })
})

describe("a check of the routes", () => {
  const route = (about: Partial<RouteReport> = {}): RouteReport => ({
    route: "api.example.com",
    domain: "api.example.com",
    path: "/",
    service: "api",
    server: "box",
    verdict: "ok",
    findings: (["dns", "tls", "http", "proxy"] as const).map((about) => ({ about, verdict: "ok", detail: "" })),
    addresses: ["192.0.2.7", "2001:db8::7"],
    cname: null,
    certificate: {
      issuer: "R11",
      names: ["api.example.com"],
      validFrom: "",
      validTo: "",
      distrust: null,
      matchesName: true,
      daysLeft: 61,
    },
    hops: [
      { url: "", status: 301, location: "/x" },
      { url: "", status: 200, location: null },
    ],
    status: 200,
    latency: 12,
    proxy: { server: "box", kind: "nginx", file: null, upstreams: ["127.0.0.1:3000"] },
    checkedAt: "",
    ...about,
  })

  it("is one table where there is room, and says that all is well", () => {
    expect(routeCheck([route()], on(120))).toBe(
      [
        "ROUTE            STATE  DNS           TLS       HTTP       PROXY                   SERVICE",
        "api.example.com  ok     192.0.2.7 +1  61d left  301 → 200  nginx → 127.0.0.1:3000  box/api",
        "",
        "1 route: all is well",
      ].join("\n"),
    )
  })

  it("is a list at 40 columns, with what is wrong below it", () => {
    const text = routeCheck(
      [
        route({
          verdict: "trouble",
          findings: [
            { about: "dns", verdict: "ok", detail: "" },
            { about: "tls", verdict: "trouble", detail: `the certificate is for ${hostile}` },
          ],
          certificate: { ...(route().certificate as NonNullable<RouteReport["certificate"]>), matchesName: false },
          hops: [],
          proxy: null,
        }),
      ],
      on(40),
    )
    expect(text).toBe(
      [
        "api.example.com",
        "  state    trouble",
        "  dns      192.0.2.7 +1",
        "  tls      wrong name",
        "  service  box/api",
        "",
        "✗ api.example.com: tls: the certificate",
        "  is for evil next",
      ].join("\n"),
    )
  })
})

describe("choosing", () => {
  const found = [
    { value: 1, title: "one", marked: true },
    { value: 2, title: "two", marked: false },
  ]

  it("takes what is marked at first where --yes is given, and asks nobody", async () => {
    const chosen = await Effect.runPromise(pick({ apply: true, yes: true }, "Which?", found))
    expect(chosen).toEqual([1])
  })

  it("moves, marks one, all and none, and ends", () => {
    const marked = new Set([0])
    expect(press("up", { at: 0, marked }, 3)).toEqual({ at: 2, marked })
    expect(press("tab", { at: 2, marked }, 3)).toEqual({ at: 0, marked })
    expect(press("space", { at: 1, marked }, 3)).toEqual({ at: 1, marked: new Set([0, 1]) })
    expect(press("space", { at: 0, marked }, 3)).toEqual({ at: 0, marked: new Set() })
    expect(press("a", { at: 0, marked }, 2)).toEqual({ at: 0, marked: new Set([0, 1]) })
    expect(press("a", { at: 0, marked }, 1)).toEqual({ at: 0, marked: new Set() })
    expect(press("return", { at: 0, marked }, 3)).toBe("over")
    expect(press("x", { at: 0, marked }, 3)).toBeUndefined()
  })

  it("shows what is around the cursor, no line wider than the screen", () => {
    const titles = Array.from({ length: 30 }, (_, n) => `service number-${n} with a rather long name and more`)
    const lines = frame(on(40), titles, { at: 20, marked: new Set([20, 21]) }, 5)
    expect(lines).toHaveLength(6)
    expect(lines[2]).toMatch(/^› \[x\] service number-20 /)
    expect(lines[3]).toMatch(/^ {2}\[x\] service number-21 /)
    expect(lines.at(-1)).toBe("  2 marked, 21 of 30")
    expect(widest(lines.join("\n"))).toBeLessThan(40)
    expect(frame(on(40), titles, { at: 29, marked: new Set() }, 5)[4]).toMatch(/number-29/)
  })
})
