import { createServer, type Server, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterEach, expect, it } from "vitest"
import * as Ssh2 from "../../src/Remote/Ssh2.js"
import { Remote, type SshEndpoint, type Target } from "../../src/Remote.js"
import { describeSshd, freePort, type Sshd, type SshdOptions, startSshd, until } from "../support/sshd.js"

describeSshd("Ssh2 connections", () => {
  const cleanup: Array<() => Promise<unknown>> = []
  afterEach(async () => {
    for (const step of cleanup.splice(0).reverse()) await step()
  })

  const server = async (options?: SshdOptions): Promise<Sshd> => {
    const sshd = await startSshd(options)
    cleanup.push(sshd.dispose)
    return sshd
  }
  const use = <A, E>(
    body: (remote: Remote["Type"]) => Effect.Effect<A, E>,
    options: Ssh2.Ssh2Options = {},
  ): Promise<A> => Effect.flatMap(Remote, body).pipe(Effect.provide(Ssh2.layerWith(options)), Effect.runPromise)
  const failure = (target: Target, options?: Ssh2.Ssh2Options) =>
    use((remote) => Effect.flip(remote.run(target, { script: "echo ok" })), options)
  const many = (remote: Remote["Type"], target: Target, count: number) =>
    Effect.forEach(
      Array.from({ length: count }, (_, index) => String(index)),
      (index) => remote.run(target, { script: 'echo "$1"', args: [index] }),
      { concurrency: "unbounded" },
    )

  it("shares one connection among 50 commands at a time, and closes it with the scope", async () => {
    const sshd = await server()
    const results = await use((remote) => many(remote, sshd.target(), 50))
    expect(results.map((result) => result.stdout)).toEqual(results.map((_, index) => `${index}\n`))
    expect(sshd.connections()).toBe(1)
    await sshd.logged(/Disconnected from user/)
  })

  it("waits for sessions where the server allows few", async () => {
    const sshd = await server({ extra: ["MaxSessions 2"] })
    const results = await use((remote) => many(remote, sshd.target(), 8))
    expect(results.map((result) => result.exitCode)).toEqual(Array(8).fill(0))
    expect(sshd.connections()).toBe(1)
  })

  it("waits for a session that is over for us, and not yet for the server", async () => {
    const sshd = await server({ extra: ["MaxSessions 1"] })
    await use((remote) =>
      Effect.forEach(Array(200), () => remote.run(sshd.target(), { script: "true" }), { discard: true }),
    )
    expect(sshd.connections()).toBe(1)
  })

  it("says so when the server allows no session at all", async () => {
    const sshd = await server({ extra: ["MaxSessions 0"] })
    const error = await failure(sshd.target("web"))
    expect(error).toMatchObject({ reason: "refused", host: "web" })
    expect(error.message).toMatch(/MaxSessions/)
  })

  it("says so when the login runs something else instead", async () => {
    const sshd = await server({ extra: ["ForceCommand printf 'This account\\033[31m is closed'; exit 1"] })
    const error = await failure(sshd.target("web"))
    expect(error).toMatchObject({ reason: "refused", host: "web" })
    expect(error.message).toMatch(/This account \[31m is closed/)
  })

  it("drops what start-up files print before the command", async () => {
    const sshd = await server({
      extra: ['ForceCommand echo welcome; printf more; exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"'],
    })
    const result = await use((remote) => remote.run(sshd.target(), { script: "echo ok" }))
    expect(result).toEqual({ exitCode: 0, stdout: "ok\n", stderr: "" })
  })

  it("goes through a jump host, once for several hosts behind it", async () => {
    const jump = await server()
    const one = await server({ clientKey: jump.keyPath })
    const two = await server({ clientKey: jump.keyPath })
    const results = await use((remote) =>
      Effect.all([many(remote, one.target("one", jump), 5), many(remote, two.target("two", jump), 5)], {
        concurrency: "unbounded",
      }),
    )
    expect(results.flat().map((result) => result.exitCode)).toEqual(Array(10).fill(0))
    expect([jump, one, two].map((sshd) => sshd.connections())).toEqual([1, 1, 1])
    expect(jump.log()).toMatch(new RegExp(`target 127\\.0\\.0\\.1 port ${one.port}`))
    expect(jump.log()).toMatch(new RegExp(`target 127\\.0\\.0\\.1 port ${two.port}`))
  })

  it("goes through two jump hosts", async () => {
    const outer = await server()
    const middle = await server({ clientKey: outer.keyPath })
    const inner = await server({ clientKey: outer.keyPath })
    const endpoint: SshEndpoint = { ...inner.endpoint, jump: { ...middle.endpoint, jump: outer.endpoint } }
    const hostKeys = [outer.hostKey, middle.hostKey, inner.hostKey]
    const target: Target = { _tag: "Ssh", name: "inner", endpoint, hostKeys }
    expect((await use((remote) => remote.run(target, { script: "echo ok" }))).stdout).toBe("ok\n")
    expect(middle.log()).toMatch(new RegExp(`target 127\\.0\\.0\\.1 port ${inner.port}`))
  })

  it("says when a jump host does not forward, or finds nothing there", async () => {
    const strict = await server({ allowTcpForwarding: false })
    const open = await server({ clientKey: strict.keyPath })
    const prohibited = await failure(open.target("inner", strict))
    expect(prohibited).toMatchObject({ reason: "refused", host: "inner" })
    expect(prohibited.message).toMatch(/AllowTcpForwarding/)
    const gone = await server({ clientKey: strict.keyPath })
    await gone.stop()
    const unreachable = await failure(gone.target("inner", open))
    expect(unreachable).toMatchObject({ reason: "unreachable", host: "inner" })
    expect(unreachable.message).toContain(`127.0.0.1:${open.port}`)
  })

  it("says when nothing listens, and when a name does not resolve", async () => {
    const endpoint = { host: "127.0.0.1", port: await freePort(), user: "nobody" }
    const refused = await failure({ _tag: "Ssh", name: "web", endpoint, hostKeys: [] })
    expect(refused).toMatchObject({ reason: "unreachable", host: "web" })
    const unresolved = { ...endpoint, host: "no-such-host.invalid" }
    expect(await failure({ _tag: "Ssh", name: "web", endpoint: unresolved, hostKeys: [] })).toMatchObject({
      reason: "unreachable",
      host: "web",
    })
  })

  it("gives up on a server that stays silent", async () => {
    const silent = await listener(() => {})
    const begun = Date.now()
    expect((await failure(silent.target, { readyTimeout: 300 })).reason).toBe("timeout")
    expect(Date.now() - begun).toBeLessThan(10_000)
    const asked = await use((remote) => Effect.flip(remote.unknownHostKey(silent.target)), { readyTimeout: 300 })
    expect(asked.reason).toBe("timeout")
  })

  it("says when what answers is no SSH server, without its control characters", async () => {
    const web = await listener((socket) => socket.end("HTTP/1.1 400 Bad\u001b[31m Request\r\n\r\n"))
    const error = await failure(web.target)
    expect(error.reason).toBe("unreachable")
    expect(error.message).not.toMatch(/\p{Cc}/u)
    const hangsUp = await listener((socket) => socket.destroy())
    expect((await failure(hangsUp.target)).reason).toBe("unreachable")
  })

  it("reports a connection lost under a command, and opens another for the next", async () => {
    const sshd = await server()
    await use((remote) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(remote.run(sshd.target("web"), { script: "kill -9 $PPID; sleep 3" }))
        expect(error).toMatchObject({ reason: "connection-lost", host: "web" })
        const next = yield* remote.run(sshd.target("web"), { script: "echo again" })
        expect(next.stdout).toBe("again\n")
      }),
    )
    expect(sshd.connections()).toBe(2)
  })

  it("opens another connection when an idle one has died unnoticed, also of a jump host", async () => {
    const jump = await server()
    const sshd = await server({ clientKey: jump.keyPath })
    await use((remote) =>
      Effect.gen(function* () {
        for (const broken of [sshd, jump, sshd]) {
          yield* remote.run(sshd.target("web", jump), { script: "true" })
          broken.dropConnections()
          const next = yield* remote.run(sshd.target("web", jump), { script: "echo again" })
          expect(next.stdout).toBe("again\n")
        }
      }),
    )
  })

  it("does not end other commands when one fails or is killed", async () => {
    const sshd = await server()
    await use((remote) =>
      Effect.gen(function* () {
        const long = yield* Effect.fork(remote.run(sshd.target(), { script: "sleep 1; echo done" }))
        yield* Effect.flip(remote.run(sshd.target(), { script: "sleep 20", timeout: 200 }))
        expect((yield* Fiber.join(long)).stdout).toBe("done\n")
      }),
    )
    expect(sshd.connections()).toBe(1)
  })

  it("notices a connection that has gone silent", async () => {
    const sshd = await server()
    const proxy = await stallable(sshd.port)
    const address = `127.0.0.1:${proxy.port}`
    const target: Target = {
      ...sshd.target(),
      endpoint: { ...sshd.endpoint, port: proxy.port },
      hostKeys: [{ ...sshd.hostKey, address }],
    }
    const options = { keepaliveInterval: 100, keepaliveCountMax: 2 }
    const error = await use((remote) => {
      const running = remote.run(target, { script: "echo begun; sleep 3", onOutput: () => Effect.sync(proxy.stall) })
      return Effect.flip(running)
    }, options)
    expect(error.reason).toBe("connection-lost")
    sshd.dropConnections()
  })

  it("closes its connections when the program is interrupted while it dials", async () => {
    let open = 0
    const silent = await listener((socket) => {
      open++
      socket.on("close", () => open--).resume()
    })
    const fiber = Effect.runFork(
      Effect.flatMap(Remote, (remote) => remote.run(silent.target, { script: "true" })).pipe(
        Effect.provide(Ssh2.layer),
      ),
    )
    await until(
      () => open === 1,
      () => "not dialled",
    )
    await Effect.runPromise(Fiber.interrupt(fiber))
    await until(
      () => open === 0,
      () => "still open",
    )
  })

  it("says when forwarding is prohibited", async () => {
    const sshd = await server({ allowTcpForwarding: false })
    const error = await use((remote) =>
      Effect.flip(remote.get(sshd.target("web"), { port: 80, path: "/", timeout: 5_000 })),
    )
    expect(error).toMatchObject({ reason: "refused", host: "web" })
    expect(error.message).toMatch(/AllowTcpForwarding/)
  })

  const listener = async (onSocket: (socket: Socket) => void): Promise<{ readonly target: Target }> => {
    const listening = createServer((socket) => {
      socket.on("error", () => {})
      onSocket(socket)
    })
    const port = await listen(listening)
    const endpoint = { host: "127.0.0.1", port, user: "nobody", keyPath: "/dev/null" }
    return { target: { _tag: "Ssh", name: "web", endpoint: { ...endpoint, keyPath: undefined }, hostKeys: [] } }
  }

  /** A proxy that stops to pass anything on, without closing, when it is told to. */
  const stallable = async (to: number) => {
    const { connect } = await import("node:net")
    const sockets: Array<Socket> = []
    const proxy = createServer((near) => {
      const far = connect(to, "127.0.0.1")
      sockets.push(near, far)
      near.on("error", () => {}).pipe(far)
      far.on("error", () => {}).pipe(near)
    })
    const port = await listen(proxy)
    cleanup.push(async () => {
      for (const socket of sockets) socket.destroy()
    })
    const stall = () => {
      for (const socket of sockets) socket.unpipe().pause()
    }
    return { port, stall }
  }

  const listen = (listening: Server): Promise<number> =>
    new Promise((resolve) => {
      cleanup.push(async () => listening.close())
      listening.listen(0, "127.0.0.1", () => resolve((listening.address() as { readonly port: number }).port))
    })
})
