/** Opens a TCP stream from the far end of an SSH connection. */
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import type { ClientChannel } from "ssh2"
import type { Connection } from "./Handshake.js"

/** Fails with ssh2's own error, whose `reason` is that of RFC 4254, 5.1. `timeout` in milliseconds. */
export const forward = (
  connection: Connection,
  host: string,
  port: number,
  timeout: number,
): Effect.Effect<Duplex, Error> =>
  Effect.async<Duplex, Error>((resume) => {
    let abandoned = false
    let opened: ClientChannel | undefined
    const timer = setTimeout(() => {
      abandoned = true
      resume(Effect.fail(Object.assign(new Error(`no answer within ${timeout / 1000} s`), { code: "ETIMEDOUT" })))
    }, timeout)
    const fail = (error: Error) => {
      clearTimeout(timer)
      resume(Effect.fail(error))
    }
    const onOpen = (error: Error | undefined, channel: ClientChannel) => {
      if (error) return fail(error)
      clearTimeout(timer)
      channel.on("error", () => {})
      if (abandoned) return channel.destroy()
      opened = channel
      resume(Effect.succeed(channel))
    }
    attempt(() => connection.client.forwardOut("127.0.0.1", 0, host, port, onOpen), fail)
    return Effect.sync(() => {
      abandoned = true
      clearTimeout(timer)
      opened?.destroy()
    })
  })

/** ssh2 throws when the socket is gone, instead of calling back. */
export const attempt = (call: () => unknown, onThrow: (error: Error) => void): void => {
  try {
    call()
  } catch (error) {
    onThrow(error as Error)
  }
}
