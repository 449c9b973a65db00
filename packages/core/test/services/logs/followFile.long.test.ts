import { execFileSync } from "node:child_process"
import {
  appendFileSync,
  copyFileSync,
  existsSync,
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
import { describeHosts } from "../../support/oddLogins.js"
import { type Proxy, startProxy } from "../../support/proxy.js"
import { type Random, randomFrom } from "../../support/random.js"
import type { Sshd } from "../../support/sshd.js"
import { onMachine } from "../deployer/setting.js"

/** The seeds of this run: `FOLLOW_SEED`, or new ones. */
const given = Number(process.env.FOLLOW_SEED)
const seeds = given > 0 ? [given] : Array.from({ length: 2 }, () => 1 + Math.floor(Math.random() * 2 ** 30))

describeHosts("following a file", (startHost) => {
  let sshd: Sshd
  let proxy: Proxy
  const directory = mkdtempSync(join(tmpdir(), "context-logs-"))
  const path = join(directory, "api.log")
  beforeAll(async () => {
    sshd = await startHost()
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
  const follow = (
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
            Effect.timeoutFail({ duration: "60 seconds", onTimeout: () => new Error(`read only ${text.slice(-200)}`) }),
            Effect.orDie,
          )
        yield* story({ until })
        yield* Fiber.interrupt(reading)
        return { text, news }
      }),
    )

  it("begins with its last lines and goes on with what is added", async () => {
    write(50)
    const { news, text } = await follow(
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
    const { news, text } = await follow(({ until }) =>
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

  it("through a rotation of nothing, and one that is compressed after it, while the link is down", async () => {
    const { news, text } = await follow(({ until }) =>
      Effect.gen(function* () {
        write(10)
        yield* until(line(9))
        proxy.setDown(true)
        proxy.cut()
        renameSync(path, `${path}.3`)
        writeFileSync(`${path}.2`, "")
        yield* Effect.sleep("15 millis")
        write(20)
        renameSync(path, `${path}.1`)
        execFileSync("gzip", [`${path}.1`])
        yield* Effect.sleep("15 millis")
        write(5)
        proxy.setDown(false)
        yield* until(line(written - 1))
      }),
    )
    expect(text).toBe(upTo(35))
    expect(news).toEqual(["down", "up"])
  })

  it("through rotation by copying and truncating", async () => {
    const { news, text } = await follow(({ until }) =>
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
    const { news, text } = await follow(({ until }) =>
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
  }, 120_000)

  it("through 10 seconds without a link, while it is rotated: no line lost, none twice", async () => {
    write(30)
    const { news, text } = await follow(({ until }) =>
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
  }, 120_000)

  it("through 30 cuts while it is written to and rotated", async () => {
    const { text } = await follow(({ until }) =>
      Effect.gen(function* () {
        write(1)
        yield* until(line(0))
        for (let n = 0; n < 30; n++) {
          write(50)
          if (n % 4 === 3) renameSync(path, `${path}.${String(n).padStart(2, "0")}`)
          yield* Effect.sleep("70 millis")
          proxy.cut()
        }
        write(1)
        yield* until(line(written - 1))
      }),
    )
    expect(text).toBe(upTo(written))
  }, 120_000)

  /** As logrotate does it: every number one higher; now and then the older ones are compressed, or it writes the new one at once. */
  const rotate = ({ below }: Random, pack: boolean) => {
    const number = (name: string) => Number(/\.log\.(\d+)/.exec(name)?.[1])
    const older = readdirSync(directory).filter((name) => /^api\.log\.\d+(\.gz)?$/.test(name))
    for (const name of older.sort((a, b) => number(b) - number(a))) {
      renameSync(join(directory, name), join(directory, name.replace(/\d+/, String(number(name) + 1))))
    }
    if (existsSync(path)) renameSync(path, `${path}.1`)
    if (below(2) === 0) writeFileSync(path, "")
    const first = `${path}.${1 + below(2)}`
    if (pack && below(3) === 0 && existsSync(first)) execFileSync("gzip", [first])
  }

  /** Waits a while that chance says, in milliseconds. */
  const nap = ({ below }: Random, most: number) => Effect.sleep(20 + below(most))

  const copyAndTruncate = () => {
    for (let n = 9; n > 0; n--) if (existsSync(`${path}.${n}`)) renameSync(`${path}.${n}`, `${path}.${n + 1}`)
    copyFileSync(path, `${path}.1`)
    truncateSync(path)
  }

  /** Cuts at random moments, the first of a connection and those of a reconnection among them, until the story ends. */
  const cutting = (random: Random) =>
    Effect.gen(function* () {
      for (let n = 0; n < 12; n++) {
        yield* nap(random, 500)
        proxy.setDown(random.below(2) === 0)
        proxy.cut()
        yield* nap(random, 100)
        proxy.setDown(false)
      }
    })

  it.each(seeds)(
    "through cuts and rotations at random moments (FOLLOW_SEED=%i)",
    async (seed) => {
      const [writer, cutter] = [randomFrom(seed), randomFrom(seed + 1)]
      const { news, text } = await follow(({ until }) =>
        Effect.gen(function* () {
          write(1)
          yield* until(line(0))
          const cuts = yield* Effect.fork(cutting(cutter))
          while ((yield* Fiber.poll(cuts))._tag === "None") {
            write(writer.below(60))
            yield* nap(writer, 60)
            if (writer.below(3) === 0) rotate(writer, seed % 2 === 0)
          }
          write(1)
          yield* until(line(written - 1))
        }),
      )
      expect(text).toBe(upTo(written))
      expect(news).not.toContain("gap")
    },
    120_000,
  )

  it.each(seeds)(
    "through cuts and copies at random moments (FOLLOW_SEED=%i)",
    async (seed) => {
      const [writer, cutter] = [randomFrom(seed), randomFrom(seed + 1)]
      const { text } = await follow(({ until }) =>
        Effect.gen(function* () {
          write(20)
          yield* until(line(19))
          const cuts = yield* Effect.fork(cutting(cutter))
          while ((yield* Fiber.poll(cuts))._tag === "None") {
            write(writer.below(60))
            yield* nap(writer, 60)
            // One truncated before anybody read its first byte is not told from one that was never written.
            if (writer.below(8) === 0) {
              write(20)
              yield* until(line(written - 1))
              write(writer.below(60))
              copyAndTruncate()
              write(1)
              // Nor one that grew past the place that was read within the milliseconds between a look and a read.
              yield* until(line(written - 1))
            }
          }
          write(1)
          yield* until(line(written - 1))
        }),
      )
      expect(text).toBe(upTo(written))
    },
    120_000,
  )

  it("says when lines were rotated away while nobody could look", async () => {
    write(10)
    const { news, text } = await follow(({ until }) =>
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
  }, 120_000)

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
