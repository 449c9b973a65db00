/** A person's command on several real sshds, one of which accepts connections and says nothing. */

import type { AddressInfo } from "node:net"
import { createServer, type Server } from "node:net"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import { afterAll, beforeAll, expect, it } from "vitest"
import { redactArgv } from "../../src/domain/secretShapes.js"
import { ReadModels } from "../../src/ReadModels.js"
import { HostKeyPrompt } from "../../src/Remote.js"
import { Registry } from "../../src/services/Registry.js"
import { RunCommand } from "../../src/services/RunCommand.js"
import { describeSshd, type Sshd, startSshd } from "../support/sshd.js"
import { addTrusted, appended, eventually, inSshWorld, serverAt, type World } from "../support/world.js"

describeSshd("a command on many servers", () => {
  let one: Sshd
  let two: Sshd
  let silent: Server
  beforeAll(async () => {
    one = await startSshd()
    two = await startSshd({ clientKey: one.keyPath })
    silent = createServer(() => {})
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done))
  })
  afterAll(async () => {
    silent.close()
    await one.dispose()
    await two.dispose()
  })

  /** Two servers, one tagged `edge`. */
  const story = <A, E>(tell: (commands: RunCommand["Type"]) => Effect.Effect<A, E, World>) =>
    inSshWorld(
      Effect.gen(function* () {
        yield* addTrusted("one", one)
        yield* addTrusted("two", two)
        yield* (yield* Registry).servers.update("two", { tags: ["edge"] })
        return yield* tell(yield* RunCommand)
      }),
    )
  const timeline = Effect.gen(function* () {
    const rows = yield* (yield* ReadModels).infraEvents.list({
      where: { type: "maintenance" },
      order: { by: "position" },
    })
    return rows.map(({ actor, metadata, server, severity, title }) => ({ actor, metadata, server, severity, title }))
  })

  it("runs where it is told to: by name, by tag, everywhere", () =>
    story((commands) =>
      Effect.gen(function* () {
        const where = (reports: ReadonlyArray<{ readonly server: string }>) => reports.map(({ server }) => server)
        expect(where(yield* commands.run({ names: ["two", "one", "two"] }, ["true"]))).toEqual(["one", "two"])
        expect(where(yield* commands.run({ tag: "edge" }, ["true"]))).toEqual(["two"])
        expect(where(yield* commands.run({ tag: "edge", names: ["one"] }, ["true"]))).toEqual(["one", "two"])
        expect(where(yield* commands.run({ all: true }, ["true"]))).toEqual(["one", "two"])
        expect(yield* Effect.flip(commands.run({ names: ["ome"] }, ["true"]))).toMatchObject({ suggestions: ["one"] })
        expect((yield* Effect.flip(commands.run({ tag: "none" }, ["true"]))).message).toBe("no server is tagged none")
      }),
    ))

  it("no shell reads its arguments: each arrives as it was given, whatever is in it", () =>
    story((commands) =>
      Effect.gen(function* () {
        const strange = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !text.includes("\0"))
        const hostile = ["$(touch pwned)", "; rm -rf /", "'", '"', "`id`", "a\nb", "-n", "*", "~", "\\", "!x", ""]
        const argv = [...hostile, ...fc.sample(strange, 200)]
        const [report] = yield* commands.run({ names: ["one"] }, ["printf", "%s\\0", ...argv])
        expect(report?.stdout).toBe(argv.map((word) => `${word}\0`).join(""))
        const [word] = yield* commands.run({ names: ["one"] }, ["eval", "echo read by a shell"])
        expect(word).toMatchObject({ exitCode: 127, stdout: "" })
        const [shell] = yield* commands.run({ names: ["one"] }, ["sh", "-c", 'echo "$((1+1))"; echo bad >&2; exit 3'])
        expect(shell).toMatchObject({ exitCode: 3, stdout: "2\n", stderr: "bad\n", error: null, truncated: false })
        for (const wrong of [[], [""], ["-c", "true"]]) {
          expect(yield* Effect.flip(commands.run({ all: true }, wrong))).toMatchObject({ _tag: "InvalidInput" })
        }
      }),
    ))

  it("the log keeps what was run where, by whom and how it ended: no secrets, and nothing that it printed", () =>
    story((commands) =>
      Effect.gen(function* () {
        const argv = ["sh", "-c", "echo printed; exit 3", "TOKEN=abcdefgh1234", "--password", "hunter2"]
        yield* commands.run({ names: ["one"] }, argv)
        yield* commands.run({ names: ["two"] }, ["true"])
        const kept = ["sh", "-c", "echo printed; exit 3", "[an assigned password removed]", "--password", "[removed]"]
        expect(yield* timeline).toEqual([
          {
            actor: "ada",
            server: "one",
            severity: "warning",
            title: `ran ${kept.join(" ").slice(0, 100)}: exit status 3`,
            metadata: { argv: kept, exitCode: 3 },
          },
          {
            actor: "ada",
            server: "two",
            severity: "info",
            title: "ran true",
            metadata: { argv: ["true"], exitCode: 0 },
          },
        ])
      }),
    ))

  it("one that says nothing costs its own deadline only; what may have been run is in the log", () =>
    story((commands) =>
      Effect.gen(function* () {
        const { port } = silent.address() as AddressInfo
        const server = serverAt("mute", one)
        yield* (yield* Registry).servers.add({ ...server, sshConfig: { ...server.sshConfig, port } as never })
        const ended: Array<string> = []
        const first = yield* Deferred.make<void>()
        const { events, value } = yield* appended(
          commands.run({ all: true }, ["true"], {
            timeout: 6_000,
            onReport: ({ server }) =>
              Effect.suspend(() => {
                ended.push(server)
                return Deferred.succeed(first, undefined)
              }),
          }),
        )
        expect(ended.at(-1)).toBe("mute")
        expect(value.map(({ error, exitCode, server }) => [server, exitCode, error?.reason])).toEqual([
          ["mute", null, "timeout"],
          ["one", 0, undefined],
          ["two", 0, undefined],
        ])
        expect(value[0]?.duration).toBeLessThan(40)
        expect(value[1]?.duration).toBeLessThan(value[0]?.duration as number)
        expect(events.filter((type) => type === "CommandRun")).toHaveLength(3)
      }),
    ))

  it("a command that does not end is killed at its deadline, and the log says that nobody saw its end", () =>
    story((commands) =>
      Effect.gen(function* () {
        const [report] = yield* commands.run({ names: ["one"] }, ["sleep", "1h"], { timeout: 1_000 })
        expect(report).toMatchObject({ exitCode: null, error: { reason: "timeout" } })
        expect((yield* timeline)[0]).toMatchObject({ title: "ran sleep 1h: its end was not seen" })
      }),
    ))

  it("a server that cannot be reached is in the answer, and not in the log", () =>
    story((commands) =>
      Effect.gen(function* () {
        const server = serverAt("gone", one)
        yield* (yield* Registry).servers.add({ ...server, sshConfig: { ...server.sshConfig, port: 1 } as never })
        const [gone, well] = yield* commands.run({ names: ["gone", "one"] }, ["true"])
        expect(gone).toMatchObject({ server: "gone", exitCode: null, error: { reason: "unreachable" } })
        expect(well).toMatchObject({ server: "one", exitCode: 0 })
        expect((yield* timeline).map(({ server }) => server)).toEqual(["one"])
      }),
    ))

  it("at most a MiB of each stream is held, and it is said that there was more", () =>
    story((commands) =>
      Effect.gen(function* () {
        const [report] = yield* commands.run({ names: ["one"] }, ["head", "-c", "3000000", "/dev/zero"])
        expect(report).toMatchObject({ exitCode: 0, truncated: true })
        expect(report?.stdout.length).toBe(1024 * 1024)
        const [exact] = yield* commands.run({ names: ["one"] }, ["head", "-c", "1048576", "/dev/zero"])
        expect(exact).toMatchObject({ truncated: false })
      }),
    ))

  it("people may think about a host key for longer than a server may take", () => {
    const asked: Array<string> = []
    const slow = (server: string) =>
      Effect.as(
        Effect.delay(
          Effect.sync(() => asked.push(server)),
          "2500 millis",
        ),
        true,
      )
    return inSshWorld(
      Effect.gen(function* () {
        yield* (yield* Registry).servers.add(serverAt("one", one))
        const [report] = yield* (yield* RunCommand).run({ all: true }, ["echo", "hello"], { timeout: 2_000 })
        expect(report).toMatchObject({ exitCode: 0, stdout: "hello\n" })
        expect(asked).toEqual(["one"])
      }).pipe(Effect.provideService(HostKeyPrompt, slow)),
    )
  })

  it("whoever leaves meanwhile leaves a word in the log", () =>
    story((commands) =>
      Effect.gen(function* () {
        one.clearLog()
        const fiber = yield* Effect.fork(commands.run({ names: ["one"] }, ["sleep", "1h"]))
        yield* Effect.promise(() => one.logged(/Starting session: command/))
        yield* Fiber.interrupt(fiber)
        const [row] = yield* eventually(timeline, (rows) => rows.length > 0)
        expect(row).toMatchObject({ server: "one", metadata: { exitCode: null } })
      }),
    ))
})

it("what stands after an option that asks for a secret is one", () => {
  expect(redactArgv(["mysql", "--password", "x", "-u", "root", "--api-key", "y", "--db-token", "z"])).toEqual([
    "mysql",
    "--password",
    "[removed]",
    "-u",
    "root",
    "--api-key",
    "[removed]",
    "--db-token",
    "[removed]",
  ])
})
