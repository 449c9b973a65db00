/** What people see, at 80 and at 40 columns. */
import { describe, expect, it } from "vitest"
import { alerts } from "../../src/render/alerts.js"
import { deployed, history } from "../../src/render/deployments.js"
import { newest } from "../../src/render/newest.js"
import { overview } from "../../src/render/overview.js"
import { plans } from "../../src/render/plan.js"
import { safe, safeJson, safeLines } from "../../src/render/safe.js"
import { status } from "../../src/render/servers.js"
import { type Screen, width } from "../../src/render/text.js"
import { ago, bytes, duration, ends, used, version } from "../../src/render/units.js"

const now = Date.parse("2026-11-22T12:00:00.000Z")
const on = (columns: number): Screen => ({ columns, colour: false, now })
const at = (secondsAgo: number) => new Date(now - secondsAgo * 1000).toISOString()

const report = {
  server: "hetzner",
  status: "online",
  reason: null,
  latency: 42,
  metrics: {
    os: "debian-12",
    kernel: null,
    uptime: 864_000,
    load: [0.5, 0.4, 0.3],
    cpus: 8,
    memory: { total: 32 * 2 ** 30, available: 16 * 2 ** 30 },
    disk: { total: 2 ** 40, available: 2 ** 39 },
  },
  checkedAt: at(0),
  lastSeen: at(0),
} as const

describe("servers' status", () => {
  const down = {
    ...report,
    server: "node1",
    status: "offline",
    metrics: null,
    latency: null,
    lastSeen: at(7200),
  } as const

  it("is a table where there is room", () => {
    const text = status([report], on(80))
    expect(text).toBe(
      [
        "NAME     STATUS  LATENCY  UPTIME  LOAD  MEMORY        DISK           OS",
        "hetzner  online    42 ms     10d  0.50  50% of 32 GB  50% of 1.0 TB  debian-12",
      ].join("\n"),
    )
  })

  it("is a list at 40 columns", () => {
    const text = status(
      [report, { ...down, reason: "nothing answered on 192.0.2.7:22 within 15 s, neither host nor port" }],
      on(40),
    )
    expect(Math.max(...text.split("\n").map(width))).toBeLessThanOrEqual(40)
    expect(text).toMatch(/node1\n {2}status +offline\n/)
    expect(text).toContain("\n\n✗ node1: nothing answered on")
    expect(text).toMatch(/\(last seen:\s+2h ago\)$/)
  })
})

describe("the overview", () => {
  const quiet = { lastDeployment: null, pinned: null } as const
  const service = {
    server: "hetzner",
    detail: null,
    checkedAt: at(180),
    version: null,
    status: "running",
    ...quiet,
  } as const
  const value = {
    ok: false,
    rejected: 0,
    asOf: { position: 1, recordedAt: at(0) },
    servers: [
      {
        name: "hetzner",
        role: "production",
        status: "online",
        reason: null,
        checkedAt: at(60),
        services: [
          { ...service, name: "api", health: "healthy", version: "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0" },
          {
            ...service,
            name: "worker",
            health: "unhealthy",
            detail: "nothing listens on port 3001",
            lastDeployment: "failed",
          },
          { ...service, name: "new", health: "unknown", checkedAt: null },
          { ...service, name: "lost", health: "healthy", lastDeployment: "unknown" },
          { ...service, name: "busy", health: "healthy", lastDeployment: "in_progress" },
          { ...service, name: "kept", health: "healthy", pinned: { version: null, reason: "the demo" } },
        ],
      },
    ],
  } as const

  it("says the state and age of everything", () => {
    expect(overview(value, on(80)).split("\n")).toEqual([
      "✓ hetzner  online  production, checked 1m ago",
      "  ✓ api     healthy  a1b2c3d4e5f6, checked 3m ago",
      "  ✗ worker  unhealthy",
      "      checked 3m ago, nothing listens on port 3001, its last deploy failed",
      "  ? new     unknown  never checked",
      "  ? lost    deploy unknown  healthy, checked 3m ago",
      "  ! busy    deploying  healthy, checked 3m ago",
      "  ✓ kept    healthy  pinned (the demo), checked 3m ago",
      "1 server, 6 services: 1 unwell",
      "  ask them: context infra server status",
      "            context infra health",
    ])
  })

  it("says what was stopped, whatever it was before", () => {
    const [server] = value.servers
    const stopped = { ...service, status: "stopped" } as const
    const services = [
      { ...stopped, name: "api", health: "healthy" },
      { ...stopped, name: "worker", health: "unhealthy", detail: "500 in 2 ms" },
    ] as const
    expect(
      overview({ ...value, servers: [{ ...server, services: services.slice(0, 1) }] }, on(80)).split("\n"),
    ).toEqual([
      "✓ hetzner  online  production, checked 1m ago",
      "  ! api  stopped  checked 3m ago",
      "1 server, 1 service: 1 stopped",
    ])
    expect(overview({ ...value, servers: [{ ...server, services }] }, on(80))).toContain(
      "✗ worker  unhealthy  stopped, checked 3m ago, 500 in 2 ms",
    )
  })

  it("fits 40 columns", () => {
    const text = overview(value, on(40))
    expect(Math.max(...text.split("\n").map(width))).toBeLessThanOrEqual(40)
    expect(text).toContain("  ✗ worker  unhealthy\n")
  })

  it("says that commands were refused, and where to see which", () => {
    const lines = ["✗ 2 commands refused", "    context infra sync rejected"]
    expect(
      overview({ ...value, rejected: 2 }, on(80))
        .split("\n")
        .slice(-2),
    ).toEqual(lines)
    expect(
      overview({ ...value, rejected: 2, servers: [] }, on(40))
        .split("\n")
        .slice(-2),
    ).toEqual(lines)
  })
})

describe("alerts", () => {
  const alert = {
    kind: "server",
    severity: "critical",
    subject: "hetzner",
    message: "offline: nothing answered on port 22 within ten seconds",
    since: at(7200),
    next: "context infra server status hetzner",
  } as const

  it("stand one after the other, with what to do next, within 40 columns", () => {
    const mine = { ...alert, severity: "warning", subject: "the\u001b[2J shared log", since: null } as const
    const text = alerts([alert, mine], on(40))
    expect(text.split("\n")).toEqual([
      "✗ hetzner  since 2h ago",
      "    offline: nothing answered on port 22",
      "    within ten seconds",
      "    context infra server status hetzner",
      "! the shared log",
      "    offline: nothing answered on port 22",
      "    within ten seconds",
      "    context infra server status hetzner",
    ])
    expect(alerts([], on(40))).toBe("✓ nothing is known to be wrong")
  })
})

describe("a list of the newest", () => {
  const render = newest<number>((rows) => rows.join(" "), undefined, 3)

  it("says that there may be more where it is as long as what is shown unasked", () => {
    expect(render([1, 2, 3], on(80))).toBe("1 2 3\nthe newest 3; --limit shows more")
    expect(render([1, 2], on(80))).toBe("1 2")
    expect(newest<number>((rows) => rows.join(" "), 3, 3)([1, 2, 3], on(80))).toBe("1 2 3")
  })
})

describe("history", () => {
  it("fits 40 columns", () => {
    const row = {
      id: "x",
      serviceId: "s",
      service: "api",
      server: "hetzner",
      version: "v1",
      previousVersion: null,
    } as const
    const more = {
      deployedBy: "ada",
      machine: "laptop",
      deployMethod: "manual",
      status: "failed",
      startedAt: at(60),
      completedAt: at(50),
    } as const
    const rest = {
      durationSeconds: 10,
      logs: "",
      reason: "it did not become healthy",
      verified: null,
      rollbackVersion: null,
      notes: null,
      steps: [],
    }
    const text = history("api")([{ ...row, ...more, ...rest }], on(40))
    expect(Math.max(...text.split("\n").map(width))).toBeLessThanOrEqual(40)
    expect(text).toMatch(/^1m ago\n {2}id +x\n {2}version +v1\n {2}status +failed\n/)
  })
})

describe("units", () => {
  it.each([
    [0.2, "just now"],
    [45, "45s ago"],
    [200, "3m ago"],
    [7300, "2h ago"],
    [200_000, "2d ago"],
    [100 * 86_400, "2026-08-14"],
    [-30, "just now"],
    // It has happened, and one of two clocks is wrong.
    [-82_800, "2026-11-23 11:00:00 UTC"],
  ])("%s s", (seconds, text) => expect(ago(on(80), at(seconds))).toBe(text))

  it.each([
    [3600, "2026-11-22 11:00:00"],
    [60, "1m ago"],
    [0, "just now"],
    [-900, "in 15m"],
  ])("what ends %s s ago", (seconds, text) => {
    const screen = seconds === 3600 ? { ...on(80), now: undefined } : on(80)
    expect(ends(screen, at(seconds))).toBe(text)
  })

  it("shows the past whole", () => {
    expect(ago({ ...on(80), now: undefined }, at(60))).toBe("2026-11-22 11:59:00")
  })

  it("durations, sizes, versions", () => {
    expect([0.02, 0.44, 12.4, 200, 7500].map(duration)).toEqual(["<0.1 s", "0.4 s", "12 s", "3 min 20 s", "2 h 5 min"])
    expect([0, 512, 1536, 32 * 2 ** 30].map(bytes)).toEqual(["0 B", "512 B", "1.5 KB", "32 GB"])
    expect(used({ total: 100, available: 25 })).toBe("75% of 100 B")
    expect(version("a".repeat(40))).toBe("a".repeat(12))
    expect(version("release-1.4.2-with-a-long-name")).toBe("release-1.4.2-with-a-long-name")
  })
})

describe("safe", () => {
  it.each([
    ["colours", "\u001b[31mred\u001b[0m", "red"],
    ["cursor and screen", "a\u001b[2J\u001b[1;1Hb", "ab"],
    ["titles and links", "\u001b]0;x\u0007\u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\", "link"],
    ["8-bit controls", "\u009b31mred\u009d0;t\u009c!", "red!"],
    ["device strings", "\u001bP1;2|AAAA\u001b\\ok", "ok"],
    ["an unfinished sequence", "x\u001b[31", "x"],
    ["a lone escape", "x\u001b", "x"],
    ["returns and backspaces", "good\rbad\u0008", "good bad"],
    ["right-to-left overrides", "a\u202eb\u2066c", "abc"],
    ["what people write", "žluťoučký 🐎 👩‍🚀 日本", "žluťoučký 🐎 👩‍🚀 日本"],
  ])("%s", (_, text, expected) => expect(safe(text)).toBe(expected))

  it("keeps lines where they are wanted", () => expect(safeLines("a\r\nb\tc")).toBe("a\nb  c"))

  it("JSON stays the same, without characters that a terminal acts on", () => {
    const value = { name: "a\u009b31m\u202e\u001b[1m" }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    expect(safeJson(value)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/)
    expect(JSON.parse(safeJson(value))).toEqual(value)
  })
})

describe("a plan", () => {
  const plan = {
    service: "hetzner/api",
    server: "hetzner",
    directory: "/opt/apps/api",
    steps: [
      {
        step: "command",
        command: 'git() {\n  command git "$@"\n}\ncd /opt/apps/api && git pull && bun run build && pm2 restart api',
      },
    ],
    from: "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0",
    to: null,
    commits: ["9f8e7d6 Answer faster than anybody could have thought to be possible"],
    backwards: false,
    affected: ["hetzner/web", "node1/worker"],
    check: "/health must answer well 2 times in a row within 60 s",
    timeout: 900_000,
    lock: {
      counter: 3,
      age: 120,
      deploymentId: undefined,
      state: "hand",
      actor: "ada",
      machine: "laptop",
      reason: "migrating",
      left: false,
    },
    pinned: null,
    rollback: { version: "v1", available: false },
    problems: ["it is locked: it is held by hand"],
  } as const

  it("is a page where there is room", () => {
    expect(plans(plan, on(80)).split("\n")).toEqual([
      "hetzner/api",
      "  runs on      hetzner",
      "  in           /opt/apps/api",
      "  from         a1b2c3d4e5f6",
      "  to           whatever the command brings",
      "  for at most  15 min",
      "  then         /health must answer well 2 times in a row within 60 s",
      "  affects      hetzner/web, node1/worker",
      "  lock         held by ada on laptop for 2 min (migrating)",
      "  rollback     to v1, which the server no longer has",
      "  deploy command",
      "    git() {",
      '      command git "$@"',
      "    }",
      "    cd /opt/apps/api && git pull && bun run build && pm2 restart api",
      "  1 commit brought",
      "    9f8e7d6 Answer faster than anybody could have thought to be possible",
      "  ✗ it is locked: it is held by hand",
      "",
      "✗ it would be refused; nothing was changed",
    ])
  })

  it("fits 40 columns", () => {
    const text = plans([plan, plan], on(40))
    expect(Math.max(...text.split("\n").map(width))).toBeLessThanOrEqual(40)
    expect(text).toContain("    cd /opt/apps/api && git pull &&\n      bun run build && pm2 restart api")
    expect(text).toMatch(/2 of 2 would be refused/)
  })
})

describe("several deployments", () => {
  it("fit 40 columns", () => {
    const refused = [{ service: "hetzner/web", message: "service hetzner/web has no deploy command" }]
    const text = deployed({ deployments: [], refused, left: ["hetzner/worker"] }, on(40))
    expect(Math.max(...text.split("\n").map(width))).toBeLessThanOrEqual(40)
    expect(text).toMatch(/hetzner\/web\n {2}status +refused\n[\s\S]*hetzner\/worker\n {2}status +not begun$/)
  })
})
