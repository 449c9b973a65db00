/** The real pm2 on a real sshd: found by a scan, its logs read, its processes stopped and started. */
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterAll, beforeAll, expect, it } from "vitest"
import { Lifecycle } from "../../src/services/Lifecycle.js"
import { Logs } from "../../src/services/Logs.js"
import { Registry } from "../../src/services/Registry.js"
import { Scanner } from "../../src/services/Scanner.js"
import { parsePm2 } from "../../src/services/scanner/parsers/pm2.js"
import { describeSshd, type Sshd, startSshd, until } from "../support/sshd.js"
import { addTrusted, eventually, inSshWorld } from "../support/world.js"

const program = join(dirname(createRequire(import.meta.url).resolve("pm2/package.json")), "bin/pm2")

const worker = `
console.log("began as " + process.pid)
require("node:http").createServer((_, response) => response.end("well")).listen(0, "127.0.0.1")
`

const canary = "not-to-be-kept-Zq8"

describeSshd("pm2 itself", () => {
  let sshd: Sshd
  const bin = mkdtempSync(join(tmpdir(), "context-pm2-"))
  // It asks the registry of packages for news of itself, unless told not to.
  const env = {
    PATH: [bin, dirname(process.execPath), process.env.PATH].join(delimiter),
    PM2_DISABLE_VERSION_CHECK: "1",
  }
  const pm2 = (...args: ReadonlyArray<string>) =>
    execFileSync(join(bin, "pm2"), args, {
      encoding: "utf8",
      env: { ...env, HOME: sshd.home, DATABASE_PASSWORD: canary },
      cwd: sshd.home,
    })

  beforeAll(async () => {
    writeFileSync(join(bin, "pm2"), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`, { mode: 0o755 })
    sshd = await startSshd({ env })
    writeFileSync(join(sshd.home, "worker.js"), worker)
  })
  afterAll(async () => {
    const daemon = Number(readFileSync(join(sshd.home, ".pm2/pm2.pid"), "utf8"))
    process.kill(daemon, "SIGTERM")
    await until(
      () => !existsSync(`/proc/${daemon}`),
      () => "pm2's daemon does not end",
    )
    await sshd.dispose()
    rmSync(bin, { recursive: true })
  })

  it(
    "is found, read, stopped and started; its daemon is not started by a scan",
    () =>
      inSshWorld(
        Effect.gen(function* () {
          yield* addTrusted("box", sshd)
          const scanner = yield* Scanner
          const status = Effect.map(scanner.scan("box"), ({ sources }) =>
            sources.find(({ source }) => source === "pm2"),
          )
          expect(yield* status).toEqual({ source: "pm2", status: "absent", found: 0 })
          expect(existsSync(join(sshd.home, ".pm2"))).toBe(false)

          pm2("start", "worker.js", "--name", "worker")
          const list = pm2("jlist")
          expect(list).toContain(canary)
          const [entry] = parsePm2(list)
          expect(entry).toMatchObject({ name: "worker", id: 0, status: "online", script: join(sshd.home, "worker.js") })

          const { findings } = yield* scanner.scan("box")
          expect(JSON.stringify(findings)).not.toContain(canary)
          const found = findings.filter(({ id }) => id === "service worker")
          expect(found).toMatchObject([
            {
              change: "new",
              proposal: { fields: { runtime: "pm2", config: { pm2: "worker" }, port: expect.any(Number) } },
            },
          ])
          yield* scanner.apply("box", found)
          expect((yield* (yield* Registry).services.get("worker")).runtime).toBe("pm2")

          let text = ""
          const reader = {
            onText: (_: string, more: string) =>
              Effect.sync(() => {
                text += more
              }),
          }
          const following = yield* Effect.fork(
            (yield* Logs).read(["box/worker"], { follow: true, lines: "all" }, reader),
          )
          const begun = (times: number) =>
            eventually(
              Effect.sync(() => text.match(/began as \d+\n/g)?.length ?? 0),
              (count) => count === times,
            )
          yield* begun(1)
          expect(text).toBe(`began as ${entry?.pid}\n`)

          const lifecycle = yield* Lifecycle
          const statusThere = () => parsePm2(pm2("jlist"))[0]?.status
          yield* lifecycle.restart("box/worker")
          yield* begun(2)
          yield* lifecycle.stop("box/worker")
          expect(statusThere()).toBe("stopped")
          yield* lifecycle.start("box/worker")
          yield* begun(3)
          expect(statusThere()).toBe("online")
          yield* Fiber.interrupt(following)

          // Each of several instances has logs of its own.
          pm2("start", "worker.js", "--name", "many", "-i", "2")
          yield* (yield* Registry).services.add({ name: "many", server: "box", runtime: "pm2" })
          text = ""
          const both = Effect.zipRight(
            (yield* Logs).read(["box/many"], { lines: "all" }, reader),
            Effect.sync(() => text),
          )
          const pids = parsePm2(pm2("jlist"))
            .filter(({ name }) => name === "many")
            .map(({ pid }) => `began as ${pid}`)
          expect(pids).toHaveLength(2)
          yield* eventually(both, (seen) => pids.every((line) => seen.includes(line)))
        }),
      ),
    180_000,
  )
})
