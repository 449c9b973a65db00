import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest"
import { ReadModels } from "../../../src/ReadModels.js"
import { Hosts } from "../../../src/services/Hosts.js"
import { followFile, type ReadOptions } from "../../../src/services/logs/followFile.js"
import type { ServerRow } from "../../../src/views/servers.js"
import { type Proxy, startProxy } from "../../support/proxy.js"
import { describeSshd, type Sshd, startSshd } from "../../support/sshd.js"
import { onMachine } from "../deployer/setting.js"

describeSshd("following a file", () => {
  let sshd: Sshd
  let proxy: Proxy
  const directory = mkdtempSync(join(tmpdir(), "context-logs-"))
  const path = join(directory, "api.log")
  beforeAll(async () => {
    sshd = await startSshd()
    proxy = await startProxy(sshd.port)
  })
  afterAll(async () => {
    await proxy.close()
    await sshd.dispose()
    rmSync(directory, { recursive: true })
  })
  let written = 0
  const line = (n: number) => `line ${n} ${"x".repeat(n % 40)}\n`
  const write = (count: number) => {
    for (let i = 0; i < count; i++) appendFileSync(path, line(written++))
  }
  const upTo = (count: number, from = 0) => Array.from({ length: count - from }, (_, n) => line(from + n)).join("")
  beforeEach(() => {
    written = 0
    for (const name of readdirSync(directory)) unlinkSync(join(directory, name))
    writeFileSync(path, "")
  })

  /** Follows while a story goes on; gives all that was read, and the news. */
  const following = (
    story: (read: { readonly until: (text: string) => Effect.Effect<void> }) => Effect.Effect<unknown>,
    options: Partial<ReadOptions> = {},
  ) =>
    onMachine(sshd, { deployCommand: "true", through: proxy.port }, () =>
      Effect.gen(function* () {
        const [server] = yield* (yield* ReadModels).servers.list()
        let text = ""
        const news: Array<string> = []
        const reading = yield* Effect.fork(
          followFile(
            yield* Hosts,
            server as ServerRow,
            path,
            { lines: "all", follow: true, ...options },
            {
              onBytes: (bytes) =>
                Effect.sync(() => {
                  text += Buffer.from(bytes).toString()
                }),
              onNews: (what) => Effect.sync(() => void news.push(what)),
            },
          ),
        )
        const until = (wanted: string) =>
          Effect.repeat(Effect.sleep("5 millis"), { until: () => text.endsWith(wanted) }).pipe(
            Effect.timeoutFail({ duration: "20 seconds", onTimeout: () => new Error(`read only ${text.slice(-200)}`) }),
            Effect.orDie,
          )
        yield* story({ until })
        yield* Fiber.interrupt(reading)
        return { text, news }
      }),
    )

  it("begins with its last lines and goes on with what is added", async () => {
    write(50)
    const { news, text } = await following(
      ({ until }) =>
        Effect.gen(function* () {
          yield* until(line(49))
          write(3)
          yield* until(line(52))
        }),
      { lines: 5 },
    )
    expect(text).toBe(upTo(53, 45))
    expect(news).toEqual([])
  })

  it("through rotation by renaming, several times, with lines before and after", async () => {
    write(10)
    const { news, text } = await following(({ until }) =>
      Effect.gen(function* () {
        yield* until(line(9))
        for (let round = 0; round < 3; round++) {
          write(20)
          renameSync(path, `${path}.${round}`)
          // Its writer has the old one open for a while.
          appendFileSync(`${path}.${round}`, line(written++))
          write(20)
          // Rotations are told apart by the time of their last line.
          yield* Effect.sleep("15 millis")
        }
        yield* until(line(written - 1))
      }),
    )
    expect(text).toBe(upTo(133))
    expect(news).toEqual([])
  })

  it("through rotation by copying and truncating", async () => {
    const { news, text } = await following(({ until }) =>
      Effect.gen(function* () {
        for (let round = 0; round < 3; round++) {
          write(1_000)
          yield* until(line(written - 1))
          // What is written between a look and a truncation is found in the copy.
          write(7)
          copyFileSync(path, `${path}.1`)
          truncateSync(path)
          write(100)
          yield* until(line(written - 1))
        }
      }),
    )
    expect(text).toBe(upTo(written))
    expect(news).toEqual([])
  })

  it("through the same while the link is down, even when it has grown past its old size by then", async () => {
    write(100)
    const { news, text } = await following(({ until }) =>
      Effect.gen(function* () {
        yield* until(line(99))
        proxy.setDown(true)
        proxy.cut()
        write(7)
        copyFileSync(path, `${path}.1`)
        truncateSync(path)
        write(300)
        proxy.setDown(false)
        yield* until(line(written - 1))
      }),
    )
    expect(text).toBe(upTo(written))
    expect(news).toEqual(["down", "up"])
  }, 20_000)

  it("through 10 seconds without a link, while it is rotated: no line lost, none twice", async () => {
    write(30)
    const { news, text } = await following(({ until }) =>
      Effect.gen(function* () {
        yield* until(line(29))
        proxy.setDown(true)
        proxy.cut()
        for (let round = 0; round < 10; round++) {
          write(20)
          if (round === 3) renameSync(path, `${path}.1`)
          if (round === 6) {
            renameSync(`${path}.1`, `${path}.2`)
            renameSync(path, `${path}.1`)
          }
          yield* Effect.sleep("1 second")
        }
        proxy.setDown(false)
        write(5)
        yield* until(line(written - 1))
      }),
    )
    expect(text).toBe(upTo(written))
    expect(news).toEqual(["down", "up"])
  }, 40_000)

  it("through 30 cuts while it is written to and rotated", async () => {
    const { text } = await following(({ until }) =>
      Effect.gen(function* () {
        write(1)
        yield* until(line(0))
        for (let n = 0; n < 30; n++) {
          write(50)
          if (n % 4 === 3) {
            // Rotated when all of it was read: a rotation in the very moment of a reconnection is not promised yet.
            yield* until(line(written - 1))
            renameSync(path, `${path}.${String(n).padStart(2, "0")}`)
          }
          yield* Effect.sleep("70 millis")
          proxy.cut()
        }
        write(1)
        yield* until(line(written - 1))
      }),
    )
    expect(text).toBe(upTo(written))
  }, 40_000)

  it("says when lines were rotated away while nobody could look", async () => {
    write(10)
    const { news, text } = await following(({ until }) =>
      Effect.gen(function* () {
        yield* until(line(9))
        proxy.setDown(true)
        proxy.cut()
        write(10)
        unlinkSync(path)
        write(10)
        proxy.setDown(false)
        yield* until(line(29))
      }),
    )
    expect(text).toBe(upTo(10) + upTo(30, 20))
    expect(news).toEqual(["down", "up", "gap"])
  }, 20_000)

  it("that is not there, or may not be read, is said", () =>
    onMachine(sshd, { deployCommand: "true" }, () =>
      Effect.gen(function* () {
        const [server] = yield* (yield* ReadModels).servers.list()
        const sink = { onBytes: () => Effect.void }
        const options = { lines: 10, follow: true } as const
        const missing = yield* Effect.flip(
          followFile(yield* Hosts, server as ServerRow, `${path}$(touch pwned)`, options, sink),
        )
        expect(missing.message).toContain("there is no log")
      }),
    ))
})
