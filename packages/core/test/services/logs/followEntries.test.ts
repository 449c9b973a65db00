/** The journal and containers, followed on a real sshd whose `journalctl` and `docker` are stand-ins. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest"
import type { ServiceInput } from "../../../src/domain/Service.js"
import { type LogOptions, Logs } from "../../../src/services/Logs.js"
import { makePrograms, type Programs } from "../../support/programs.js"
import { type Proxy, startProxy } from "../../support/proxy.js"
import { describeSshd, type Sshd, startSshd } from "../../support/sshd.js"
import { onMachine } from "../deployer/setting.js"

describeSshd("logs that keep entries", () => {
  let sshd: Sshd
  let proxy: Proxy
  let programs: Programs
  beforeAll(async () => {
    programs = makePrograms()
    sshd = await startSshd({ env: { PATH: programs.path } })
    proxy = await startProxy(sshd.port)
  })
  afterAll(async () => {
    await proxy.close()
    await sshd.dispose()
    programs.dispose()
  })

  let name = ""
  let count = 0
  beforeEach(() => {
    name = `api${count++}`
  })
  const journal = (from: number, to: number) =>
    programs.write(
      name,
      range(from, to).map((n) => JSON.stringify({ __CURSOR: `s=1;i=${n}`, MESSAGE: `line ${n}` })),
    )
  /** Three lines bear each time. */
  const container = (from: number, to: number) =>
    programs.write(
      name,
      range(from, to).map((n) => `2026-11-22T20:00:00.${String(Math.floor(n / 3)).padStart(9, "0")}Z line ${n}`),
    )
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)
  const upTo = (to: number, from = 0) =>
    range(from, to)
      .map((n) => `line ${n}\n`)
      .join("")

  /** Reads the log of a service while a story goes on; gives what was read, and the news. */
  const reading = (
    service: Partial<ServiceInput>,
    options: LogOptions,
    story: (until: (last: string) => Effect.Effect<void>) => Effect.Effect<unknown> = () => Effect.void,
  ) =>
    onMachine(sshd, { deployCommand: "true", through: proxy.port, ...service, name } as never, () =>
      Effect.gen(function* () {
        let text = ""
        const news: Array<string> = []
        const fiber = yield* Effect.fork(
          (yield* Logs).read([name], options, {
            onText: (_, more) =>
              Effect.sync(() => {
                text += more
              }),
            onNews: (_, what) => Effect.sync(() => void news.push(what)),
          }),
        )
        const until = (last: string) =>
          Effect.repeat(Effect.sleep("5 millis"), { until: () => text.endsWith(last) }).pipe(
            Effect.timeoutFail({
              duration: "15 seconds",
              onTimeout: () => new Error(`read only …${text.slice(-200)}`),
            }),
            Effect.orDie,
          )
        yield* story(until)
        if (options.follow) yield* Fiber.interrupt(fiber)
        else yield* Fiber.join(fiber)
        return { text, news }
      }),
    )

  const kinds = [
    ["the journal", journal, { runtime: "systemd" }],
    ["a container", container, { runtime: "docker" }],
  ] as const
  for (const [kind, write, service] of kinds) {
    it(`${kind}: its last lines`, async () => {
      write(0, 50)
      expect((await reading(service, { lines: 5 })).text).toBe(upTo(50, 45))
      expect((await reading(service, { lines: "all" })).text).toBe(upTo(50))
    })

    it(`${kind}: all of its lines, and then what is added`, async () => {
      write(0, 30)
      const { text } = await reading(service, { lines: "all", follow: true }, (until) =>
        Effect.gen(function* () {
          yield* until("line 29\n")
          write(30, 33)
          yield* until("line 32\n")
        }),
      )
      expect(text).toBe(upTo(33))
    })

    it(`${kind}: the link is cut again and again while it is written: no entry is lost or doubled`, async () => {
      write(0, 7)
      let written = 7
      const { news, text } = await reading(service, { lines: "all", follow: true }, (until) =>
        Effect.gen(function* () {
          for (let round = 0; round < 6; round++) {
            yield* until(`line ${written - 1}\n`)
            write(written, written + 41)
            // At once, or in the middle of it, or when all has been read; what is written while it is down comes afterwards.
            if (round % 3 === 1) yield* until(`line ${written + 40}\n`)
            proxy.cut()
            write(written + 41, written + 80)
            written += 80
          }
          yield* until(`line ${written - 1}\n`)
        }),
      )
      expect(text).toBe(upTo(written))
      expect(news).toEqual(Array.from({ length: 6 }, () => ["down", "up"]).flat())
    }, 240_000)
  }

  it("nobody registered what runs it: its host knows", async () => {
    container(0, 3)
    // The stand-ins know each name as a unit, too; systemd comes first.
    journal(0, 3)
    expect((await reading({}, { lines: 3 })).text).toBe(upTo(3))
    expect(programs.asked()).toContain(`systemctl show -p FragmentPath --value -- ${name}`)
    expect(programs.asked()).toContain(`journalctl -u ${name} -o json`)
  })

  it("the name it goes by there may be another one", async () => {
    const service = name
    container(0, 3)
    name = `${service}-front`
    expect((await reading({ runtime: "docker", config: { container: service } }, {})).text).toBe(upTo(3))
  })

  it("a time is given to each in words that it understands", async () => {
    journal(0, 1)
    const since = "2026-11-22T20:00:00.500Z"
    await reading({ runtime: "systemd" }, { since })
    expect(programs.asked()).toContain(
      `journalctl -u ${name} -o json --no-pager --output-fields=MESSAGE --since=@1795377600.5`,
    )
    await reading({ runtime: "docker" }, { since })
    expect(programs.asked()).toContain(`docker logs --timestamps --since ${since} --tail 100 -- ${name}`)
  })

  it("only the lines that match", async () => {
    journal(0, 30)
    expect((await reading({ runtime: "systemd" }, { lines: "all", grep: /[12]5$/ })).text).toBe("line 15\nline 25\n")
  })

  it("why it cannot be read is said in the program's own words", async () => {
    await expect(reading({ runtime: "docker" }, {})).rejects.toThrow(
      `the log of ${name} on host cannot be read: Error: No such container: ${name}`,
    )
    await expect(reading({ runtime: "systemd" }, {})).rejects.toThrow(
      `the log of ${name} on host cannot be read: Failed to add filter for units`,
    )
  })

  it("a name that nobody there knows is refused, with what to do", async () => {
    await expect(reading({}, {})).rejects.toThrow(`nobody on host knows a log of ${name}`)
  })
})
