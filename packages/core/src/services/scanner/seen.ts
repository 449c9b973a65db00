/** All that the parsers found on a host, by tool. */

import { caddyFile, type SectionName } from "./host.js"
import { parseCaddy } from "./parsers/caddy.js"
import { parseContainers } from "./parsers/containers.js"
import { parseCron } from "./parsers/cron.js"
import { parseNginx } from "./parsers/nginx.js"
import { parsePm2 } from "./parsers/pm2.js"
import { parseProcesses } from "./parsers/processes.js"
import { parseSockets } from "./parsers/sockets.js"
import { parseUnits } from "./parsers/systemd.js"
import type { SectionStatus, SectionText } from "./sections.js"
import type { Container, CronJob, Pm2Process, Process, Site, Socket, Unit } from "./types.js"

/** What is on a host, and how each tool answered. */
export interface Seen {
  readonly status: Readonly<Record<SectionName, SectionStatus>>
  readonly units: ReadonlyArray<Unit>
  readonly containers: ReadonlyArray<Container & { readonly tool: "docker" | "podman" }>
  readonly pm2: ReadonlyArray<Pm2Process>
  readonly sockets: ReadonlyArray<Socket>
  readonly processes: ReadonlyArray<Process>
  readonly sites: ReadonlyArray<Site & { readonly proxy: "nginx" | "caddy" }>
  readonly cron: ReadonlyArray<CronJob>
}

/** Reads every section. Linear in its size, whatever it holds. */
export const readSections = (sections: Readonly<Record<SectionName, SectionText>>): Seen => {
  const text = (name: SectionName) => sections[name].text
  const docker = parseContainers(text("docker")).map((one) => ({ ...one, tool: "docker" as const }))
  // `docker` may be podman by another name.
  const known = new Set(docker.map((one) => one.id ?? one.name))
  const podman = parseContainers(text("podman")).filter((one) => !known.has(one.id ?? one.name))
  return {
    status: Object.fromEntries(Object.entries(sections).map(([name, { status }]) => [name, status])) as Seen["status"],
    units: parseUnits(text("systemd")),
    containers: [...docker, ...podman.map((one) => ({ ...one, tool: "podman" as const }))],
    pm2: parsePm2(text("pm2")),
    sockets: parseSockets(text("sockets")),
    processes: parseProcesses(text("sockets")),
    sites: [
      ...parseNginx(text("nginx")).map((one) => ({ ...one, proxy: "nginx" as const })),
      ...parseCaddy(text("caddy")).map((one) => ({ ...one, file: caddyFile, proxy: "caddy" as const })),
    ],
    cron: parseCron(text("cron")),
  }
}
