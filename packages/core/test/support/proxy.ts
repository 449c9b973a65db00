/** A bad link: a TCP proxy on loopback that delays, cuts and refuses. */

import type { AddressInfo } from "node:net"
import { connect, createServer, type Socket } from "node:net"

export interface Proxy {
  readonly port: number
  /** How many connections were opened through it. */
  readonly opened: () => number
  /** Breaks every open connection, without a word to either side. */
  readonly cut: () => void
  /** While the link is down, new connections are refused the moment they are made. */
  readonly setDown: (down: boolean) => void
  /** Called for every piece that comes from the server. */
  onData: ((bytes: number) => void) | undefined
  readonly close: () => Promise<void>
}

/** Forwards to a port of this machine; `delay` is milliseconds each way. */
export const startProxy = async (target: number, delay = 0): Promise<Proxy> => {
  const pairs = new Set<readonly [Socket, Socket]>()
  let opened = 0
  let down = false
  const server = createServer((near) => {
    if (down) return void near.destroy()
    opened++
    const far = connect(target, "127.0.0.1")
    const pair = [near, far] as const
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    carry(near, far, delay)
    carry(far, near, delay, (bytes) => proxy.onData?.(bytes))
    for (const socket of pair)
      socket
        .setNoDelay(true)
        .on("error", end)
        .on("close", () => setTimeout(end, delay))
  })
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy()
  }
  const proxy: Proxy = {
    port: (server.address() as AddressInfo).port,
    opened: () => opened,
    cut,
    setDown: (now) => {
      down = now
    },
    onData: undefined,
    close: () => {
      cut()
      return new Promise((done) => server.close(() => done()))
    },
  }
  return proxy
}

const carry = (from: Socket, to: Socket, delay: number, seen: (bytes: number) => void = () => {}): void => {
  const pass = (act: () => void) => (delay === 0 ? act() : setTimeout(act, delay))
  from.on("data", (data) => {
    seen(data.length)
    pass(() => {
      if (to.destroyed || to.write(data) || delay > 0) return
      from.pause()
      to.once("drain", () => from.resume())
    })
  })
  from.on("end", () => pass(() => to.end()))
}
