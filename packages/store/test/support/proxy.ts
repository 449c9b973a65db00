/** A bad line to a port of this machine: it delays, cuts connections, and loses answers. */
import { connect, createServer, type Socket } from "node:net"

export interface Line {
  readonly url: string
  /** How much of a second each way takes, in milliseconds. */
  delay: number
  /** The part of requests whose connection is cut in the middle, from 0 to 1. */
  cut: number
  /** The part of requests whose answers never arrive. */
  mute: number
  /** How many requests went over it. */
  requests: number
  readonly close: () => Promise<void>
}

/** A line to a port. `chance` gives numbers from 0 to 1. */
export const openLine = (port: number, chance: () => number = Math.random): Promise<Line> =>
  new Promise((resolve) => {
    const open = new Set<Socket>()
    const server = createServer((near) => {
      const far = connect(port, "127.0.0.1")
      let left = Number.POSITIVE_INFINITY
      let muted = false
      const end = () => {
        near.destroy()
        far.destroy()
      }
      /** What becomes of a request is drawn as it begins; connections live longer than that. */
      const begin = () => {
        line.requests += 1
        const fate = chance()
        left = fate < line.cut ? chance() * 3_000 : Number.POSITIVE_INFINITY
        muted = fate >= line.cut && fate < line.cut + line.mute
      }
      const pass = (from: Socket, to: Socket, answers: boolean) => {
        open.add(from)
        from.on("data", (chunk) => {
          if (!answers && /^(GET|POST) /.test(chunk.toString("latin1", 0, 5))) begin()
          left -= chunk.length
          if (left < 0) return end()
          if (answers && muted) return setTimeout(end, 50)
          setTimeout(() => to.writable && to.write(chunk), line.delay)
        })
        from.on("close", () => {
          open.delete(from)
          setTimeout(() => to.end(), line.delay)
        })
        from.on("error", end)
      }
      pass(near, far, false)
      pass(far, near, true)
    })
    const line: Line = {
      url: "",
      delay: 0,
      cut: 0,
      mute: 0,
      requests: 0,
      close: () =>
        new Promise((closed) => {
          for (const socket of open) socket.destroy()
          server.close(() => closed())
        }),
    }
    server.listen(0, "127.0.0.1", () => {
      Object.assign(line, { url: `http://127.0.0.1:${(server.address() as { port: number }).port}` })
      resolve(line)
    })
  })
