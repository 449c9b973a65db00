import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ReadModels } from "../../src/ReadModels.js"
import { type HostKey, HostKeyPrompt } from "../../src/Remote.js"
import { Hosts } from "../../src/services/Hosts.js"
import { Registry } from "../../src/services/Registry.js"
import { targetOf } from "../../src/services/targets.js"
import type { ServerRow } from "../../src/views/servers.js"
import { describeSshd, freePort, type Sshd, startSshd } from "../support/sshd.js"
import { appended, inSshWorld, inWorld, serverAt, someone, type World } from "../support/world.js"

/** Runs something on a server by its name, and gives what it printed. */
const echo = (name: string) =>
  Effect.gen(function* () {
    const row = yield* (yield* Registry).servers.get(name)
    return (yield* (yield* Hosts).run(row, { script: "echo ok" })).stdout
  })

/** The host keys pinned for each server. */
const pins = Effect.gen(function* () {
  const rows = yield* (yield* ReadModels).servers.list()
  return Object.fromEntries(rows.map((row) => [row.name, row.hostKeys]))
})

/** Neither a user name nor a credential has come since the log was cleared. */
const expectNoLogin = async (sshd: Sshd) => {
  await sshd.logged(/\[preauth\]/)
  expect(sshd.log()).toMatch(/Connection from/)
  expect(sshd.log()).not.toMatch(/userauth-request|Accepted|Failed|authenticating user/)
}

/** A world in which these servers are registered. */
const withServers = <A, E>(
  servers: ReadonlyArray<ReturnType<typeof serverAt>>,
  story: Parameters<typeof inSshWorld<A, E>>[0],
) =>
  inSshWorld(
    Effect.gen(function* () {
      const registry = yield* Registry
      for (const server of servers) yield* Effect.orDie(registry.servers.add(server))
      return yield* story
    }),
  )

describeSshd("a host key that is seen for the first time", () => {
  let sshd: Sshd
  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(() => sshd.dispose())

  it("is refused where nobody can be asked, and the refusal says what to do", () =>
    withServers(
      [serverAt("web", sshd)],
      Effect.gen(function* () {
        sshd.clearLog()
        const { value: error, events } = yield* appended(Effect.flip(echo("web")))
        expect(error).toMatchObject({ _tag: "RemoteError", reason: "host-key-unknown", host: "web" })
        expect(error.message).toContain(`web (${sshd.hostKey.address})`)
        expect(error.message).toContain(`${sshd.hostKey.algorithm} ${sshd.hostKey.fingerprint}`)
        expect(error.message).toContain("--accept-host-key")
        expect(events).toEqual([])
        yield* Effect.promise(() => expectNoLogin(sshd))
      }),
    ))

  it("is pinned by an event once somebody accepts it, and never asked about again", () =>
    withServers(
      [serverAt("web", sshd)],
      Effect.gen(function* () {
        const ada = someone(true)
        const first = yield* appended(ada.answering(echo("web")))
        expect(first).toEqual({ value: "ok\n", events: ["HostKeyPinned"] })
        expect(ada.asked).toEqual([["web", sshd.hostKey]])
        expect(yield* pins).toEqual({ web: [sshd.hostKey] })

        const second = yield* appended(ada.answering(echo("web")))
        expect(second).toEqual({ value: "ok\n", events: [] })
        expect(ada.asked).toHaveLength(1)
        expect(yield* echo("web")).toBe("ok\n")
      }),
    ))

  it("is refused when they decline, and nothing is pinned", () =>
    withServers(
      [serverAt("web", sshd)],
      Effect.gen(function* () {
        const ada = someone(false)
        sshd.clearLog()
        const { value: error, events } = yield* appended(Effect.flip(ada.answering(echo("web"))))
        expect(error).toMatchObject({ reason: "host-key-unknown", host: "web" })
        expect(events).toEqual([])
        expect(ada.asked).toHaveLength(1)
        yield* Effect.promise(() => expectNoLogin(sshd))
      }),
    ))

  it("is asked about once by all who come at the same time, whatever row they hold", () =>
    withServers(
      [serverAt("web", sshd)],
      Effect.gen(function* () {
        const ada = someone(true)
        const row = yield* (yield* Registry).servers.get("web")
        const hosts = yield* Hosts
        const runs = Array.from({ length: 5 }, () => hosts.run(row, { script: "echo ok" }))
        const { events } = yield* appended(ada.answering(Effect.all(runs, { concurrency: "unbounded" })))
        expect(events).toEqual(["HostKeyPinned"])
        expect(ada.asked).toHaveLength(1)
      }),
    ))

  it("is refused at once where nobody can be asked, even while somebody thinks about it elsewhere", () =>
    withServers(
      [serverAt("web", sshd)],
      Effect.gen(function* () {
        const refused = Effect.flip(echo("web"))
        const world = yield* Effect.context<World>()
        const thinking = (): Effect.Effect<boolean> =>
          Effect.gen(function* () {
            const error = yield* Effect.provideService(refused, HostKeyPrompt, undefined)
            expect(error).toMatchObject({ reason: "host-key-unknown" })
            return true
          }).pipe(Effect.orDie, Effect.provide(world))
        expect(yield* Effect.provideService(echo("web"), HostKeyPrompt, thinking)).toBe("ok\n")
      }),
    ))

  it("is not accepted for a server that has been removed", () =>
    withServers(
      [serverAt("web", sshd)],
      Effect.gen(function* () {
        const ada = someone(true)
        const { servers } = yield* Registry
        const held = yield* servers.get("web")
        yield* servers.remove("web")
        const run = ada.answering((yield* Hosts).run(held, { script: "echo ok" }))
        const { value: error, events } = yield* appended(Effect.flip(run))
        expect(error).toMatchObject({ reason: "refused", host: "web" })
        expect(events).toEqual([])
        expect(ada.asked).toEqual([])
      }),
    ))

  it("can be accepted beforehand", () =>
    withServers(
      [serverAt("web", sshd)],
      Effect.gen(function* () {
        const row = yield* (yield* Registry).servers.get("web")
        const target = yield* someone(true).answering((yield* Hosts).trusted(row))
        expect(target).toMatchObject({ name: "web", hostKeys: [sshd.hostKey] })
        expect(yield* appended((yield* Hosts).trusted(row))).toEqual({ value: target, events: [] })
      }),
    ))
})

describeSshd("a host key that has changed", () => {
  let sshd: Sshd
  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(() => sshd.dispose())

  it("is refused before anything is sent, until the old one is forgotten", () =>
    withServers(
      [serverAt("web", sshd)],
      Effect.gen(function* () {
        const ada = someone(true)
        yield* ada.answering(echo("web"))
        const old = sshd.hostKey
        yield* Effect.promise(() => sshd.restart({ newHostKeys: true }))
        const refused = yield* appended(Effect.flip(ada.answering(echo("web"))))
        expect(refused.value).toMatchObject({ reason: "host-key-changed", host: "web" })
        expect(refused.value.message).toContain(old.fingerprint)
        expect(refused.value.message).toContain(sshd.hostKey.fingerprint)
        expect(refused.events).toEqual([])
        expect(ada.asked).toHaveLength(1)
        yield* Effect.promise(() => expectNoLogin(sshd))

        const held = yield* (yield* Registry).servers.get("web")
        const forgotten = yield* appended((yield* Registry).servers.forgetHostKeys("web"))
        expect(forgotten).toEqual({ value: [old.address], events: ["HostKeyForgotten"] })
        expect(yield* Effect.flip(echo("web"))).toMatchObject({ reason: "host-key-unknown" })
        // A row from before is no way to trust it all the same.
        expect(yield* Effect.flip((yield* Hosts).run(held, { script: "true" }))).toMatchObject({
          reason: "host-key-unknown",
        })
        expect(yield* ada.answering(echo("web"))).toBe("ok\n")
        expect(yield* pins).toEqual({ web: [sshd.hostKey] })
      }),
    ))
})

describeSshd("servers behind a jump host", () => {
  let jump: Sshd
  let inner: Sshd
  let other: Sshd
  beforeAll(async () => {
    jump = await startSshd()
    ;[inner, other] = await Promise.all([
      startSshd({ clientKey: jump.keyPath }),
      startSshd({ clientKey: jump.keyPath }),
    ])
  })
  afterAll(() => Promise.all([jump, inner, other].map((sshd) => sshd.dispose())))

  it("have each key on the way asked about, the nearest first, and pinned where it belongs", () =>
    withServers(
      [serverAt("bastion", jump), serverAt("inner", inner, "bastion")],
      Effect.gen(function* () {
        const ada = someone(true)
        const unknown = yield* Effect.flip(echo("inner"))
        expect(unknown).toMatchObject({ reason: "host-key-unknown", host: "inner" })
        expect(unknown.message).toMatch(new RegExp(`^inner, through bastion \\(${jump.hostKey.address}\\)`))

        inner.clearLog()
        const { value, events } = yield* appended(ada.answering(echo("inner")))
        expect(value).toBe("ok\n")
        expect(ada.asked).toEqual([
          ["bastion", jump.hostKey],
          ["inner", inner.hostKey],
        ])
        expect(events).toEqual(["HostKeyPinned", "HostKeyPinned"])
        expect(yield* pins).toEqual({ bastion: [jump.hostKey], inner: [inner.hostKey] })
        // It really came through the jump host.
        yield* Effect.promise(() => jump.logged(/direct-tcpip/))
      }),
    ))

  it("find the jump host's own pin", () =>
    withServers(
      [serverAt("bastion", jump), serverAt("inner", inner, "bastion")],
      Effect.gen(function* () {
        const ada = someone(true)
        yield* ada.answering(echo("bastion"))
        yield* ada.answering(echo("inner"))
        expect(ada.asked.map(([server]) => server)).toEqual(["bastion", "inner"])
      }),
    ))

  it("do not ask again for what the way to another has shown", () =>
    withServers(
      [serverAt("bastion", jump), serverAt("inner", inner, "bastion"), serverAt("other", other, "bastion")],
      Effect.gen(function* () {
        const ada = someone(true)
        yield* ada.answering(echo("inner"))
        yield* ada.answering(echo("other"))
        yield* ada.answering(echo("bastion"))
        expect(ada.asked.map(([server]) => server)).toEqual(["bastion", "inner", "other"])
      }),
    ))

  it("do not ask twice when both are dialled at once", () =>
    withServers(
      [serverAt("bastion", jump), serverAt("inner", inner, "bastion"), serverAt("other", other, "bastion")],
      Effect.gen(function* () {
        const ada = someone(true)
        const { events } = yield* appended(
          ada.answering(Effect.all([echo("inner"), echo("other")], { concurrency: "unbounded" })),
        )
        expect(ada.asked.map(([server]) => server).sort()).toEqual(["bastion", "inner", "other"])
        expect(events).toHaveLength(3)
      }),
    ))

  it("may name it by address, and share its key all the same", () =>
    withServers(
      ["inner", "other"].map((name) =>
        serverAt(name, name === "inner" ? inner : other, `${jump.user}@${jump.host}:${jump.port}`),
      ),
      Effect.gen(function* () {
        const ada = someone(true)
        expect(yield* ada.answering(echo("inner"))).toBe("ok\n")
        expect(yield* ada.answering(echo("other"))).toBe("ok\n")
        expect(ada.asked).toEqual([
          ["inner", jump.hostKey],
          ["inner", inner.hostKey],
          ["other", other.hostKey],
        ])
        expect(yield* pins).toEqual({ inner: [jump.hostKey, inner.hostKey], other: [other.hostKey] })
      }),
    ))

  it("are refused when the jump host's key has changed, until it is forgotten there", () =>
    withServers(
      [serverAt("bastion", jump), serverAt("inner", inner, "bastion")],
      Effect.gen(function* () {
        const ada = someone(true)
        yield* ada.answering(echo("inner"))
        yield* Effect.promise(() => jump.restart({ newHostKeys: true }))
        inner.clearLog()
        const { value: error, events } = yield* appended(Effect.flip(ada.answering(echo("inner"))))
        expect(error).toMatchObject({ reason: "host-key-changed", host: "inner" })
        expect(error.message).toContain(jump.hostKey.fingerprint)
        expect(events).toEqual([])
        yield* Effect.promise(() => expectNoLogin(jump))
        expect(inner.connections()).toBe(0)

        yield* (yield* Registry).servers.forgetHostKeys("bastion")
        expect(yield* ada.answering(echo("inner"))).toBe("ok\n")
        expect(ada.asked.map(([server]) => server)).toEqual(["bastion", "inner", "bastion"])
      }),
    ))

  it("are told that the jump host cannot reach them", async () => {
    const nothing = { ...inner, port: await freePort() }
    await withServers(
      [serverAt("bastion", jump), serverAt("inner", nothing, "bastion")],
      Effect.gen(function* () {
        const error = yield* Effect.flip(someone(true).answering(echo("inner")))
        expect(error).toMatchObject({ reason: "unreachable", host: "inner" })
        expect(error.message).toContain(`cannot be reached from the jump host ${jump.hostKey.address}`)
      }),
    )
  })
})

describe("a way that cannot be gone", () => {
  const ssh = { user: "ada", port: 22, keyPath: null }
  const refusal = (servers: ReadonlyArray<ReturnType<typeof serverAt>>, name: string) =>
    withServers(
      servers,
      Effect.gen(function* () {
        const { value, events } = yield* appended(Effect.flip(someone(true).answering(echo(name))))
        expect(events).toEqual([])
        return value
      }),
    )

  it("because it comes back to where it began", async () => {
    const behind = (name: string, jumpHost: string) => ({
      name,
      ipAddresses: ["127.0.0.1"],
      sshConfig: { ...ssh, jumpHost },
    })
    const error = await inSshWorld(
      Effect.gen(function* () {
        const { servers } = yield* Registry
        yield* servers.add({ name: "a", ipAddresses: ["127.0.0.1"] })
        yield* servers.add(behind("b", "a"))
        yield* servers.add(behind("c", "b"))
        yield* servers.update("a", { sshConfig: { ...ssh, jumpHost: "c" } })
        return yield* Effect.flip(echo("b"))
      }),
    )
    expect(error).toMatchObject({ reason: "refused" })
    expect(error.message).toBe("server c is behind itself: b → a → c → b")
  })

  it("because there is no address", async () => {
    const error = await refusal([{ name: "web" }], "web")
    expect(error).toMatchObject({ reason: "refused", host: "web" })
    expect(error.message).toBe("server web has no address: context infra server update web --ip <address>")
  })

  it("because its jump host has none", async () => {
    const through = { name: "web", ipAddresses: ["127.0.0.1"], sshConfig: { ...ssh, jumpHost: "bastion" } }
    const error = await refusal([{ name: "bastion" }, through], "web")
    expect(error).toMatchObject({ reason: "refused", host: "bastion" })
    expect(error.message).toContain("--ip <address>")
  })

  it.each(["ada@10.0.0.1:99999", "ada@10.0.0.1:0", "a:b:c", "@10.0.0.1"])(
    "because its jump host %s cannot be read",
    async (jumpHost) => {
      const error = await refusal([{ name: "web", ipAddresses: ["127.0.0.1"], sshConfig: { ...ssh, jumpHost } }], "web")
      expect(error).toMatchObject({ reason: "refused", host: "web" })
      expect(error.message).toContain("[user@]host[:port]")
    },
  )
})

describe("targets", () => {
  const key = (address: string, name: string): HostKey => ({
    address,
    algorithm: "ssh-ed25519",
    key: name,
    fingerprint: `SHA256:${name}`,
  })
  const row = (
    name: string,
    ip: string,
    jumpHost: string | null,
    hostKeys: ReadonlyArray<HostKey> = [],
  ): ServerRow => ({
    id: name,
    name,
    hostname: null,
    ipAddresses: [ip],
    role: null,
    sshConfig: { user: "ada", port: 22, keyPath: null, jumpHost },
    local: false,
    os: null,
    resources: null,
    tags: [],
    notes: null,
    createdAt: "",
    updatedAt: "",
    status: "unknown",
    statusReason: null,
    lastSeen: null,
    lastChecked: null,
    statusLook: null,
    hostKeys,
    localKey: null,
    localMachine: null,
  })
  const seen = (...all: ReadonlyArray<ServerRow>) => ({ all, here: { key: "aa", machine: "alpha" } })
  const keysOf = (server: ServerRow, all: ReadonlyArray<ServerRow>) => {
    const target = Either.getOrThrow(targetOf(server, seen(...all)))
    return target._tag === "Ssh" ? target.hostKeys.map(({ key }) => key) : []
  }

  it("take the same private address behind another jump host for another machine", () => {
    const all = [
      row("home", "1.1.1.1", null, [key("1.1.1.1:22", "home")]),
      row("office", "2.2.2.2", null, [key("2.2.2.2:22", "office")]),
      row("nas", "192.168.1.10", "home", [key("192.168.1.10:22", "nas")]),
      row("printer", "192.168.1.10", "office"),
      row("nearby", "192.168.1.10", null),
      row("nas2", "192.168.1.10", "home"),
    ] as const
    expect(keysOf(all[2], all)).toEqual(["nas", "home"])
    expect(keysOf(all[3], all)).toEqual(["office"])
    expect(keysOf(all[4], all)).toEqual([])
    expect(keysOf(all[5], all)).toEqual(["home", "nas"])
  })

  it("go through several jump hosts, the farthest hop last, and read every form of an address", () => {
    const all = [
      row("outer", "1.1.1.1", "eve@[2001:db8::1]:2222"),
      row("middle", "10.0.0.1", "outer"),
      row("inner", "10.0.0.2", "middle"),
    ] as const
    expect(Either.getOrThrow(targetOf(all[2], seen(...all)))).toMatchObject({
      endpoint: {
        host: "10.0.0.2",
        jump: { host: "10.0.0.1", jump: { host: "1.1.1.1", jump: { host: "2001:db8::1", port: 2222, user: "eve" } } },
      },
    })
    const plain = row("web", "10.0.0.1", "gateway.example.com")
    expect(Either.getOrThrow(targetOf(plain, seen(plain)))).toMatchObject({
      endpoint: { jump: { host: "gateway.example.com", port: 22, user: "ada" } },
    })
  })

  it("go straight to what is behind this machine", () => {
    const here = { ...row("here", "127.0.0.1", null), local: true }
    const web = row("web", "10.0.0.1", "here")
    expect(Either.getOrThrow(targetOf(here, seen(here, web)))).toEqual({ _tag: "Local", name: "here" })
    expect(Either.getOrThrow(targetOf(web, seen(here, web)))).not.toHaveProperty("endpoint.jump")
  })

  it("go to what is local to another machine by its address, and not by a loopback", () => {
    const beta = { ...row("beta", "127.0.0.1", null), local: true, localKey: "bb", localMachine: "beta" }
    const web = row("web", "10.0.0.1", "beta")
    for (const server of [beta, web]) {
      expect(Either.getOrThrow(Either.flip(targetOf(server, seen(beta, web))))).toMatchObject({
        reason: "elsewhere",
        message: expect.stringContaining("server beta is local to beta; it is reached from there only"),
      })
    }
    const open = { ...beta, ipAddresses: ["127.0.0.1", "10.0.0.9"] }
    const way = { host: "10.0.0.9" }
    expect(Either.getOrThrow(targetOf(open, seen(open, web)))).toMatchObject({ _tag: "Ssh", endpoint: way })
    expect(Either.getOrThrow(targetOf(web, seen(open, web)))).toMatchObject({ endpoint: { jump: way } })
  })
})

describe("this machine", () => {
  it("runs things without SSH and without questions", () =>
    inWorld(
      Effect.gen(function* () {
        const ada = someone(false)
        const row = yield* (yield* Registry).servers.add({ name: "here", local: true })
        expect(yield* ada.answering(echo("here"))).toBe("ok\n")
        expect(yield* ada.answering((yield* Hosts).trusted(row))).toEqual({ _tag: "Local", name: "here" })
        expect(ada.asked).toEqual([])
      }),
    ))
})
