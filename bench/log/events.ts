/** The events the log is measured with: health checks, the commonest there are, of 500 services. */
import type { NewEvent, StreamAppend } from "@context-engine/core/EventLog"

export const services = 500

let made = 0

/** An id of the form the log uses. */
export const id = (): string => {
  made += 1
  return `019a0000-0000-7000-8000-${made.toString(16).padStart(12, "0")}`
}

const meta = {
  actor: "bench",
  via: "library",
  machine: "bench",
  commandId: "019a0000-0000-7000-8000-ffffffffffff",
} as const

const event = (type: string, data: unknown): NewEvent => ({
  id: id(),
  type,
  schema: 1,
  data,
  meta,
  occurredAt: "2026-01-01T00:00:00.000Z",
})

const serviceId = (n: number) => `019a0000-0000-7000-9000-${String(n % services).padStart(12, "0")}`

/** The nth health check; nothing changed, as mostly. */
export const check = (n: number): StreamAppend => ({
  stream: `service-${serviceId(n)}`,
  expected: "any",
  events: [
    event("HealthChecked", {
      service: `service-${n % services}`,
      server: `server-${n % 100}`,
      serverId: `019a0000-0000-7000-a000-${String(n % 100).padStart(12, "0")}`,
      status: "healthy",
      previous: "healthy",
      detail: "200 in 12 ms",
      latency: 12,
      at: "2026-01-01T00:00:00.000Z",
    }),
  ],
})

/** A fleet of 100 servers with 500 services, as its first events. */
export const fleet = (): ReadonlyArray<StreamAppend> => [
  ...Array.from({ length: 100 }, (_, n) => ({
    stream: `server-019a0000-0000-7000-a000-${String(n).padStart(12, "0")}`,
    expected: 0,
    events: [
      event("ServerAdded", {
        name: `server-${n}`,
        hostname: null,
        ipAddresses: ["10.0.0.1"],
        role: "production",
        sshConfig: null,
        local: false,
        os: null,
        resources: null,
        tags: [],
        notes: null,
      }),
    ],
  })),
  ...Array.from({ length: services }, (_, n) => ({
    stream: `service-${serviceId(n)}`,
    expected: 0,
    events: [
      event("ServiceAdded", {
        name: `service-${n}`,
        serverId: `019a0000-0000-7000-a000-${String(n % 100).padStart(12, "0")}`,
        type: "app",
        runtime: "node",
        port: 3000,
        healthEndpoint: "/health",
        config: null,
        envVars: [],
        projectPath: null,
        gitRepo: null,
        deployCommand: null,
        restartCommand: null,
        logPath: null,
        notes: null,
      }),
    ],
  })),
]
