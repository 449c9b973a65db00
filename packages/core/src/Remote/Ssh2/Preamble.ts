/** Reads the line by which a command announces that it begins, and leaves the output after it in the stream. */
import type { ClientChannel } from "ssh2"

/** More than this before the announcement is no login shell's greeting. */
const longest = 64 * 1024

/**
 * Calls `onBegin` with the process id once, leaving the channel paused at the first byte of the command's own output; what
 * a login shell's start-up files printed before is dropped. Calls `onNone` with that text if the command never begins.
 */
export const awaitBegin = (
  channel: ClientChannel,
  token: string,
  onBegin: (pid: number) => void,
  onNone: (said: string) => void,
): void => {
  const announcement = new RegExp(`${token} (\\d+)\\n`)
  let seen = Buffer.alloc(0)
  const stop = () => channel.off("data", onData).off("close", onClose)
  const onClose = () => {
    stop()
    onNone(`${seen} ${channel.stderr.read() ?? ""}`)
  }
  const onData = (data: Buffer) => {
    seen = Buffer.concat([seen, data])
    // Latin 1 keeps one character a byte, so that positions are the same in both.
    const found = announcement.exec(seen.toString("latin1"))
    if (found === null && seen.length > longest) return onClose()
    if (found === null) return
    stop()
    channel.pause()
    const rest = seen.subarray(found.index + found[0].length)
    if (rest.length > 0) channel.unshift(rest)
    onBegin(Number(found[1]))
  }
  channel.on("data", onData).on("close", onClose)
}
