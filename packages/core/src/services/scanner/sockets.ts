/** Whose a listening socket is: a container's, pm2's, a unit's, or just a program's. Pure. */
import type { Seen } from "./seen.js"
import type { Process, Socket } from "./types.js"
import { basename } from "./words.js"

/** `container <name>`, `pm2 <name>`, `unit <name>`, `program <name>`, or `port <number>` where nothing is told. */
export type Owner = `${"container" | "pm2" | "unit" | "program" | "port"} ${string}`

export interface Owners {
  readonly sockets: ReadonlyMap<Owner, ReadonlyArray<Socket>>
  readonly ports: ReadonlyMap<Owner, ReadonlyArray<number>>
  readonly process: (socket: Socket) => Process | undefined
}

export const ownersOf = (seen: Seen): Owners => {
  const find = finder(seen)
  const sockets = new Map<Owner, Array<Socket>>()
  for (const socket of seen.sockets) {
    const owner = find.owner(socket)
    const there = sockets.get(owner)
    if (there === undefined) sockets.set(owner, [socket])
    else there.push(socket)
  }
  const ports = new Map([...sockets].map(([owner, all]) => [owner, [...new Set(all.map(({ port }) => port))]]))
  return { sockets, ports, process: find.process }
}

const finder = (seen: Seen) => {
  const processes = new Map(seen.processes.map((one) => [one.pid, one]))
  const ofContainer = new Map(
    seen.containers.flatMap((one) => (one.id === undefined ? [] : [[one.id, one.name] as const])),
  )
  const published = new Map(
    seen.containers
      .filter((one) => one.state === undefined || one.state === "running")
      .flatMap((one) => one.ports.map(({ host }) => [host, one.name] as const)),
  )
  const ofPm2 = new Map(seen.pm2.flatMap((one) => (one.pid === undefined ? [] : [[one.pid, one.name] as const])))
  const portOfPm2 = new Map(seen.pm2.flatMap((one) => (one.port === undefined ? [] : [[one.port, one.name] as const])))
  const ofUnit = new Map(seen.units.flatMap((one) => (one.pid === undefined ? [] : [[one.pid, one.name] as const])))

  const process = (socket: Socket) => (socket.pid === undefined ? undefined : processes.get(socket.pid))

  /** The process itself, then those it descends from, as far as they are known. */
  const line = (pid: number | undefined): ReadonlyArray<number> => {
    const found: Array<number> = []
    for (let next = pid; next !== undefined && next > 1 && found.length < 5; next = processes.get(next)?.parent)
      found.push(next)
    return found
  }
  const among = (known: ReadonlyMap<number, string>, pid: number | undefined) =>
    line(pid)
      .map((one) => known.get(one))
      .find((name) => name !== undefined)

  const owner = (socket: Socket): Owner => {
    const about = process(socket)
    const inside = about?.container === undefined ? undefined : ofContainer.get(about.container)
    if (inside !== undefined) return `container ${inside}`
    const name = socket.process ?? about?.name
    const bridge = name === undefined || /^(?:docker-proxy|rootlessport|conmon|pasta|slirp4netns)/.test(name)
    const outside = bridge ? published.get(socket.port) : undefined
    if (outside !== undefined) return `container ${outside}`
    // In a cluster it is pm2 itself that listens.
    const kept =
      among(ofPm2, socket.pid) ?? (name === undefined || /^PM2/.test(name) ? portOfPm2.get(socket.port) : undefined)
    if (kept !== undefined) return `pm2 ${kept}`
    const unit = socket.unit ?? about?.unit ?? among(ofUnit, socket.pid)
    if (unit !== undefined && !/^user@\d+\.service$/.test(unit)) return `unit ${unit}`
    const program = about?.program === undefined ? name : basename(about.program)
    return program === undefined ? `port ${socket.port}` : `program ${program}`
  }
  return { owner, process }
}
