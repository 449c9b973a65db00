/** Reads a command's two output streams in the order of arrival, no faster than they are consumed. */
import type { Readable } from "node:stream"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { OutputChunk, RemoteCommand } from "../Remote.js"

/** Where a running command's output comes from. */
export interface Streams {
  readonly stdout: Readable
  readonly stderr: Readable
}

const defaultMaxOutput = 1024 * 1024

/** Above this many bytes not yet consumed the streams are paused, so that the command waits, too: several readings of a socket. */
const highWater = 1024 * 1024

/** Consumes both streams to their end and returns the head of each, decoded. */
export const collect = (
  streams: Streams,
  command: Pick<RemoteCommand, "maxOutput" | "onOutput">,
): Effect.Effect<{ readonly stdout: string; readonly stderr: string }> => {
  const limit = command.maxOutput ?? defaultMaxOutput
  const heads = { stdout: head(limit), stderr: head(limit) }
  return consume(streams, (chunk) => {
    heads[chunk.stream].add(chunk.data)
    return command.onOutput?.(chunk) ?? Effect.void
  }).pipe(Effect.map(() => ({ stdout: heads.stdout.text(), stderr: heads.stderr.text() })))
}

const ended = Symbol("ended")

const consume = (streams: Streams, sink: (chunk: OutputChunk) => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const queue = yield* Queue.unbounded<OutputChunk | typeof ended>()
    const flow = throttle(streams)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const onData = (stream: OutputChunk["stream"]) => (data: Uint8Array) => {
          flow.arrived(data.length)
          queue.unsafeOffer({ stream, data })
        }
        const onEnd = () => queue.unsafeOffer(ended)
        return [
          listen(streams.stdout, onData("stdout"), onEnd),
          listen(streams.stderr, onData("stderr"), onEnd),
        ] as const
      }),
      ([stdoutOff, stderrOff]) =>
        Effect.sync(() => {
          stdoutOff()
          stderrOff()
        }),
    )
    for (let open = 2; open > 0; ) {
      const next = yield* Queue.take(queue)
      if (next === ended) {
        open--
      } else {
        yield* sink(next)
        flow.consumed(next.data.length)
      }
    }
  }).pipe(Effect.scoped)

/** Attaches to a stream and returns how to let go of it: what still comes is then thrown away. */
const listen = (stream: Readable, onData: (data: Uint8Array) => void, onEnd: () => void): (() => void) => {
  let over = false
  const finish = () => {
    if (over) return
    over = true
    onEnd()
  }
  stream.on("error", finish).once("end", finish).once("close", finish).on("data", onData).resume()
  // It may have ended before anybody listened.
  if (stream.readableEnded || stream.closed) finish()
  return () => {
    stream.off("data", onData).off("end", finish).off("close", finish)
    stream.resume()
  }
}

const throttle = ({ stdout, stderr }: Streams) => {
  let waiting = 0
  let paused = false
  return {
    arrived: (bytes: number) => {
      waiting += bytes
      if (paused || waiting < highWater) return
      paused = true
      stdout.pause()
      stderr.pause()
    },
    consumed: (bytes: number) => {
      waiting -= bytes
      if (!paused || waiting > 0) return
      paused = false
      stdout.resume()
      stderr.resume()
    },
  }
}

const head = (limit: number) => {
  const kept: Array<Uint8Array> = []
  let room = limit
  return {
    add: (data: Uint8Array) => {
      if (room === 0) return
      const part = data.subarray(0, room)
      room -= part.length
      kept.push(part)
    },
    text: () => new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(kept)),
  }
}
