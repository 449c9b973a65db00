/** From what the tools said to services: a unit, the socket its process listens on and the site before it are one. Pure. */
import { type Evidence, type Keeper, type ServiceCandidate, together } from "./candidates.js"
import { isHousehold, knownPorts, knownType, runtimeOf } from "./known.js"
import type { Seen } from "./seen.js"
import { type Owner, type Owners, ownersOf } from "./sockets.js"
import type { Socket, Unit } from "./types.js"
import { basename, nameFrom } from "./words.js"

/** A service while evidence for it is gathered. */
interface Draft extends Omit<ServiceCandidate, "confidence" | "name" | "port" | "ports"> {
  readonly names: ReadonlyArray<string | undefined>
  readonly declared: ReadonlyArray<number>
  readonly owner: Owner | undefined
  readonly weight: number
}

/** Every service there seems to be, each once, with names that the registry accepts and that differ. */
export const servicesOf = (seen: Seen): ReadonlyArray<ServiceCandidate> => {
  const owners = ownersOf(seen)
  const kept = [...fromContainers(seen), ...fromPm2(seen), ...fromUnits(seen, owners)]
  const taken = new Set(kept.flatMap(({ owner }) => owner ?? []))
  return named([...kept, ...fromSockets(owners, taken), ...fromCron(seen)], owners, proxied(seen))
}

const fromContainers = ({ containers }: Seen): ReadonlyArray<Draft> =>
  containers.flatMap((one): ReadonlyArray<Draft> => {
    const running = one.state === undefined || one.state === "running"
    // One that ran once and ended is no service.
    if (!running && (one.restart === undefined || one.restart === "no") && one.service === undefined) return []
    const type = knownType(one.image)
    const words = [
      `container ${one.name}`,
      one.image && `of ${one.image}`,
      running ? undefined : (one.state ?? "stopped"),
    ]
    return [
      {
        names: [one.service, one.project && one.service && `${one.project}-${one.service}`, one.name],
        type: type ?? "app",
        runtime: one.tool,
        projectPath: one.directory,
        keeper: { container: one.name },
        declared: one.ports.map(({ host }) => host),
        owner: `container ${one.name}`,
        weight: running ? 0.8 : 0.5,
        evidence: [{ source: one.tool, detail: words.filter(Boolean).join(" ") }],
      },
    ]
  })

const fromPm2 = ({ pm2 }: Seen): ReadonlyArray<Draft> => {
  const groups = new Map<string, Array<(typeof pm2)[number]>>()
  for (const one of pm2) groups.set(one.name, [...(groups.get(one.name) ?? []), one])
  return [...groups].map(([name, all]) => {
    const first = all[0] as (typeof pm2)[number]
    const online = all.some((one) => one.status === undefined || one.status === "online")
    const instances = all.length > 1 ? ` with ${all.length} processes` : ""
    return {
      names: [name],
      type: "app",
      runtime: "pm2",
      projectPath: first.directory,
      keeper: { pm2: name },
      declared: [...new Set(all.flatMap((one) => one.port ?? []))],
      owner: `pm2 ${name}`,
      weight: online ? 0.8 : 0.5,
      evidence: [
        {
          source: "pm2",
          detail: `pm2 keeps ${name}${instances}${online ? "" : `, ${first.status}`}${first.script ? `: ${first.script}` : ""}`,
        },
      ],
    }
  })
}

const fromUnits = (seen: Seen, owners: Owners): ReadonlyArray<Draft> =>
  seen.units.flatMap((unit): ReadonlyArray<Draft> => {
    const bare = unit.name.replace(/\.service$/, "")
    const owner: Owner = `unit ${unit.name}`
    const type = knownType(bare) ?? knownType(unit.program)
    const own = isOwn(unit)
    const listens = (owners.ports.get(owner) ?? []).length > 0
    const worth = own
      ? unit.enabled !== "disabled" || unit.active === "active"
      : unit.active === "active" && (listens || type !== undefined)
    if (isHousehold(bare) || keepsOthers(unit, seen) || !worth) return []
    const state = unit.active === undefined || unit.active === "active" ? "" : `, ${unit.active}`
    const program = unit.script ?? unit.program
    return [
      {
        names: [bare],
        type: type ?? "app",
        runtime: "systemd",
        projectPath: own ? (unit.directory === "/" ? undefined : unit.directory) : undefined,
        keeper: { unit: unit.name },
        declared: [],
        owner,
        weight: own ? 0.6 : 0.3 + (type === undefined ? 0 : 0.2),
        evidence: [{ source: "systemd", detail: `unit ${unit.name}${state}${program ? `: ${program}` : ""}` }],
      },
    ]
  })

/** Written by whoever runs the machine, not brought by a package. */
const isOwn = ({ fragment = "" }: Unit): boolean => /^\/(?:etc|usr\/local\/lib|root|home)\//.test(fragment)

/** A unit that only starts containers or pm2, which are found by themselves. */
const keepsOthers = ({ program = "", script = "" }: Unit, seen: Seen): boolean => {
  const [name, file] = [basename(program), basename(script)]
  if (/^(?:docker|docker-compose|podman|podman-compose|conmon)$/.test(name)) return seen.containers.length > 0
  return (name === "pm2" || file === "pm2") && seen.pm2.length > 0
}

/** Listeners that nothing keeps: by the program's name, or by the port where the system does not tell. */
const fromSockets = (owners: Owners, taken: ReadonlySet<Owner>): ReadonlyArray<Draft> =>
  [...owners.sockets].flatMap(([owner, sockets]): ReadonlyArray<Draft> => {
    if (taken.has(owner)) return []
    const process = owners.process(sockets[0] as Socket)
    const [, kind, rest = ""] = /^(\w+) (.*)$/.exec(owner) ?? []
    // What its unit keeps out of the list stays out of it.
    if (kind === "unit" || kind === "container" || kind === "pm2") return []
    const program = kind === "program" ? rest : undefined
    const ports = sockets.map(({ port }) => port)
    const guess = knownPorts.get(ports[0] as number)
    if (program === undefined ? guess === undefined : isHousehold(program) || sockets.every(isPassing)) return []
    return [
      {
        names: [titled(program, process?.directory), guess],
        type: knownType(program ?? guess) ?? "app",
        runtime: runtimeOf(process?.program),
        projectPath:
          runtimeOf(process?.program) === undefined || process?.directory === "/" ? undefined : process?.directory,
        keeper: {},
        declared: [],
        owner,
        weight: program === undefined ? 0.15 : 0.2,
        evidence: [],
      },
    ]
  })

/** `node` says nothing: where it runs does. */
const titled = (program: string | undefined, directory: string | undefined): string | undefined =>
  program !== undefined && runtimeOf(program) !== undefined && directory !== undefined && directory !== "/"
    ? basename(directory)
    : program

/** A port of the moment, on loopback only: an editor's, a debugger's. */
const isPassing = ({ address, port }: Socket): boolean => port >= 32_768 && /^(?:127\.|::1)/.test(address)

const fromCron = ({ cron }: Seen): ReadonlyArray<Draft> =>
  cron
    // Lines that packages bring are the system's.
    .filter((job) => job.file === undefined || !/^\/(?:usr|s?bin|lib)\//.test(job.program))
    .filter((job) => job.program.includes("/") && !/^\/(?:usr\/(?:s?bin|lib)|s?bin|lib)\//.test(job.program))
    .map((job) => ({
      names: [basename(job.program).replace(/\.(?:sh|py|[cm]?js|ts|rb|php|pl)$/, "")],
      type: "app",
      runtime: "cron",
      projectPath:
        job.directory ??
        (job.program.startsWith("/") ? job.program.slice(0, job.program.lastIndexOf("/")) || undefined : undefined),
      keeper: {},
      declared: [],
      owner: undefined,
      weight: 0.35,
      evidence: [{ source: "cron", detail: `${job.schedule} ${job.program} in ${job.file ?? "the login's crontab"}` }],
    }))

/** The ports that a proxy on this host sends to, and for which domain. */
const proxied = ({ sites }: Seen): ReadonlyMap<number, Evidence> => {
  const found = new Map<number, Evidence>()
  for (const site of sites)
    for (const route of site.routes)
      for (const to of route.upstreams) {
        if (to._tag !== "Address" || !isHere(to.host) || found.has(to.port)) continue
        const domain = site.names[0] ?? "a site without a name"
        found.set(to.port, {
          source: site.proxy,
          detail: `${site.proxy} sends ${domain}${route.path === "/" ? "" : route.path} to port ${to.port}`,
        })
      }
  return found
}

/** Whether an address means the host itself. */
export const isHere = (host: string): boolean =>
  /^(?:127\.|localhost$|::1$|0\.0\.0\.0$|host\.docker\.internal$)/.test(host)

/** Gives each a name of its own, its ports, and what speaks for it. */
const named = (
  drafts: ReadonlyArray<Draft>,
  owners: Owners,
  proxies: ReadonlyMap<number, Evidence>,
): ReadonlyArray<ServiceCandidate> => {
  const wanted = new Map<string, number>()
  for (const { names } of drafts) {
    const name = nameFrom(names[0])
    if (name !== undefined) wanted.set(name, (wanted.get(name) ?? 0) + 1)
  }
  const used = new Set<string>()
  return drafts.flatMap((draft) => {
    const names = draft.names.flatMap((name) => nameFrom(name) ?? [])
    const name =
      [...names.filter((one) => (wanted.get(one) ?? 0) < 2), ...names].find((one) => !used.has(one)) ??
      numbered(names[0], used)
    if (name === undefined) return []
    used.add(name)
    return [candidate(draft, name, owners, proxies)]
  })
}

const numbered = (name: string | undefined, used: ReadonlySet<string>): string | undefined => {
  if (name === undefined) return undefined
  let n = 2
  while (used.has(`${name.slice(0, 58)}-${n}`)) n++
  return `${name.slice(0, 58)}-${n}`
}

const candidate = (
  draft: Draft,
  name: string,
  owners: Owners,
  proxies: ReadonlyMap<number, Evidence>,
): ServiceCandidate => {
  const { declared, evidence, keeper, owner, projectPath, runtime, type, weight } = draft
  const sockets = owner === undefined ? [] : (owners.sockets.get(owner) ?? [])
  const ports = [...new Set([...declared, ...sockets.map(({ port }) => port)])].sort((a, b) => a - b)
  const behind = ports.flatMap((port) => proxies.get(port) ?? [])
  const listening: ReadonlyArray<Evidence> = sockets
    .filter((socket, index) => sockets.findIndex(({ port }) => port === socket.port) === index)
    .slice(0, 5)
    .map((socket) => ({
      source: "sockets",
      detail: `${socket.process ?? "something"} listens on ${socket.address}:${socket.port}`,
    }))
  const preferred =
    ports.find((port) => proxies.has(port)) ?? declared[0] ?? (type === "proxy" && ports.includes(443) ? 443 : ports[0])
  const weights = [weight, ...(listening.length > 0 ? [0.5] : []), ...(behind.length > 0 ? [0.4] : [])]
  return {
    name,
    type,
    runtime,
    port: preferred,
    ports,
    projectPath,
    keeper: keeper as Keeper,
    confidence: together(weights),
    evidence: [...evidence, ...listening, ...behind.slice(0, 5)],
  }
}
