import * as Effect from "effect/Effect"
import { afterAll, beforeAll, expect, it } from "vitest"
import type { RemoteError } from "../../src/Errors.js"
import * as Ssh2 from "../../src/Remote/Ssh2.js"
import { Remote, type Target } from "../../src/Remote.js"
import { describeSshd, type Sshd, startSshd } from "../support/sshd.js"

const use = <A, E>(body: (remote: Remote["Type"]) => Effect.Effect<A, E>): Promise<A> =>
  Effect.flatMap(Remote, body).pipe(Effect.provide(Ssh2.layer), Effect.runPromise)

const run = (target: Target) => use((remote) => remote.run(target, { script: "echo ok" }))
const failure = (target: Target): Promise<RemoteError> =>
  use((remote) => Effect.flip(remote.run(target, { script: "echo ok" })))
const unknown = (target: Target) => use((remote) => remote.unknownHostKey(target))

/** Neither a user name nor a credential has come: the server never got as far as a request to log in. */
const expectNoLogin = async (sshd: Sshd) => {
  await sshd.logged(/\[preauth\]/)
  expect(sshd.log()).toMatch(/Connection from/)
  expect(sshd.log()).not.toMatch(/userauth-request|Accepted|Failed|authenticating user/)
}

describeSshd("Ssh2 host keys", () => {
  let jump: Sshd
  let sshd: Sshd
  beforeAll(async () => {
    jump = await startSshd()
    sshd = await startSshd({ clientKey: jump.keyPath, hostKeyTypes: ["rsa", "ecdsa", "ed25519"] })
  })
  afterAll(async () => {
    await sshd.dispose()
    await jump.dispose()
  })

  it("sees requests to log in in the log", async () => {
    sshd.clearLog()
    expect((await run(sshd.target())).stdout).toBe("ok\n")
    expect(sshd.log()).toMatch(/userauth-request for user/)
  })

  it("refuses a key that is not pinned, and sends nothing", async () => {
    sshd.clearLog()
    const error = await failure({ ...sshd.target("web"), hostKeys: [] })
    expect(error).toMatchObject({ reason: "host-key-unknown", host: "web" })
    expect(error.message).toContain(sshd.hostKeys[2]?.fingerprint)
    await expectNoLogin(sshd)
  })

  it("shows the key to ask for, and sends nothing", async () => {
    sshd.clearLog()
    const key = await unknown({ ...sshd.target(), hostKeys: [] })
    expect(key).toEqual(sshd.hostKeys[2])
    await expectNoLogin(sshd)
    expect(await unknown(sshd.target())).toBeUndefined()
    await expectNoLogin(sshd)
  })

  it.each([0, 1, 2])("accepts a server with several keys when its key %i is pinned", async (index) => {
    const target = { ...sshd.target(), hostKeys: sshd.hostKeys.slice(index, index + 1) }
    expect((await run(target)).stdout).toBe("ok\n")
    expect(await unknown(target)).toBeUndefined()
  })

  it("does not take a key pinned for another address", async () => {
    const [pinned] = sshd.hostKeys.slice(2)
    if (pinned === undefined) throw new Error("no key")
    const error = await failure({ ...sshd.target(), hostKeys: [{ ...pinned, address: "127.0.0.1:22" }] })
    expect(error.reason).toBe("host-key-unknown")
  })

  it("does not lend a connection to a target that would not have accepted its key", async () => {
    const reasons = await use((remote) =>
      Effect.gen(function* () {
        yield* remote.run(sshd.target(), { script: "true" })
        const unpinned = yield* Effect.flip(remote.run({ ...sshd.target(), hostKeys: [] }, { script: "true" }))
        const wrong = sshd.hostKeys.map((key) => ({ ...key, key: "AAAA", fingerprint: "SHA256:other" }))
        const changed = yield* Effect.flip(remote.run({ ...sshd.target(), hostKeys: wrong }, { script: "true" }))
        return [unpinned.reason, changed.reason]
      }),
    )
    expect(reasons).toEqual(["host-key-unknown", "host-key-changed"])
  })

  it("refuses a changed key, shows both and sends nothing", async () => {
    const old = sshd.target("web")
    await sshd.restart({ newHostKeys: true })
    const error = await failure(old)
    expect(error).toMatchObject({ reason: "host-key-changed", host: "web" })
    expect(error.message).toContain(old.hostKeys[2]?.fingerprint)
    expect(error.message).toMatch(/Nothing was sent/)
    const shown = sshd.hostKeys
      .map((key) => key.fingerprint)
      .filter((fingerprint) => error.message.includes(fingerprint))
    expect(shown).toHaveLength(1)
    await expectNoLogin(sshd)
    const asked = await use((remote) => Effect.flip(remote.unknownHostKey(old)))
    expect(asked.reason).toBe("host-key-changed")
    await expectNoLogin(sshd)
    expect((await run(sshd.target())).stdout).toBe("ok\n")
  })

  it("verifies jump hosts first, and sends them nothing when they are not known", async () => {
    jump.clearLog()
    sshd.clearLog()
    const target = { ...sshd.target("inner", jump), hostKeys: sshd.hostKeys }
    const error = await failure(target)
    expect(error).toMatchObject({ reason: "host-key-unknown", host: "inner" })
    expect(error.message).toContain(jump.hostKey.fingerprint)
    expect(await unknown(target)).toEqual(jump.hostKey)
    await expectNoLogin(jump)
    expect(sshd.connections()).toBe(0)
  })

  it("finds the unknown key behind a pinned jump host", async () => {
    sshd.clearLog()
    const target = { ...sshd.target("inner", jump), hostKeys: jump.hostKeys }
    expect(await unknown(target)).toEqual(sshd.hostKeys[2])
    await expectNoLogin(sshd)
    expect(await unknown(sshd.target("inner", jump))).toBeUndefined()
  })

  it("refuses a jump host whose key has changed", async () => {
    const target = sshd.target("inner", jump)
    await jump.restart({ newHostKeys: true })
    sshd.clearLog()
    expect((await failure(target)).reason).toBe("host-key-changed")
    await expectNoLogin(jump)
    expect(sshd.connections()).toBe(0)
  })
})
