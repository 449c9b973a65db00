import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Ssh2 from "../../src/Remote/Ssh2.js"
import { Remote, type Target } from "../../src/Remote.js"
import { describeSshd, makeKey, type Sshd, startAgent, startSshd } from "../support/sshd.js"

describeSshd("Ssh2 credentials", () => {
  let sshd: Sshd
  let home: string
  beforeAll(async () => {
    sshd = await startSshd()
    home = mkdtempSync(join(tmpdir(), "home-"))
    mkdirSync(join(home, ".ssh"))
  })
  afterAll(async () => {
    await sshd.dispose()
    rmSync(home, { recursive: true, force: true })
  })

  const withKey = (keyPath: string | undefined): Target => {
    const target = sshd.target("web")
    return { ...target, endpoint: { ...target.endpoint, keyPath } }
  }
  const run = (keyPath: string | undefined, agentSocket = "") =>
    Effect.flatMap(Remote, (remote) => remote.run(withKey(keyPath), { script: "echo ok" })).pipe(
      Effect.provide(Ssh2.layerWith({ home, agentSocket })),
    )
  const output = (keyPath: string | undefined, agentSocket?: string) =>
    Effect.runPromise(Effect.map(run(keyPath, agentSocket), ({ stdout }) => stdout))
  const failure = (keyPath: string | undefined, agentSocket?: string) =>
    Effect.runPromise(Effect.flip(run(keyPath, agentSocket)))

  it("takes the named key, ~ expanded", async () => {
    copyFileSync(sshd.keyPath, join(home, "key"))
    expect(await output("~/key")).toBe("ok\n")
  })

  it("says what to do when the key is not accepted", async () => {
    const error = await failure(makeKey(join(home, "wrong"), "ed25519"))
    expect(error).toMatchObject({ reason: "authentication", host: "web" })
    expect(error.message).toMatch(/authorized_keys/)
    expect(error.message).toContain(join(home, "wrong"))
  })

  it("says why a key file cannot be used, and shows nothing of it", async () => {
    makeKey(join(home, "locked"), "ed25519", "secret passphrase")
    writeFileSync(join(home, "garbage"), "TOPSECRET")
    const cases: ReadonlyArray<readonly [string, RegExp]> = [
      ["~/missing", /no such file/],
      ["~", /is a directory/],
      ["~/locked", /passphrase.*ssh-add/],
      ["~/garbage", /not a private key/],
      [`${sshd.keyPath}.pub`, /is a public key/],
    ]
    for (const [keyPath, message] of cases) {
      const error = await failure(keyPath)
      expect(error).toMatchObject({ reason: "unreadable-key", host: "web" })
      expect(error.message).toMatch(message)
      expect(error.message).not.toMatch(/TOPSECRET|secret passphrase/)
    }
  })

  it("takes the agent's key", async () => {
    const agent = await startAgent(sshd.keyPath)
    expect(await output(undefined, agent.socket)).toBe("ok\n")
    await agent.stop()
  })

  it("goes on to the default files when the agent has no fitting key or is gone", async () => {
    const agent = await startAgent(makeKey(join(home, "other"), "ed25519"))
    const refused = await failure(undefined, agent.socket)
    expect(refused.reason).toBe("authentication")
    expect(refused.message).toMatch(/the SSH agent/)
    makeKey(join(home, ".ssh", "id_ed25519"), "ed25519")
    makeKey(join(home, ".ssh", "id_ecdsa"), "ecdsa", "locked")
    copyFileSync(sshd.keyPath, join(home, ".ssh", "id_rsa"))
    expect(await output(undefined, agent.socket)).toBe("ok\n")
    await agent.stop()
    expect(await output(undefined, agent.socket)).toBe("ok\n")
    rmSync(join(home, ".ssh"), { recursive: true })
    expect((await failure(undefined)).message).toMatch(/no SSH agent and no default key file/)
  })

  it("logs in with RSA and ECDSA keys", async () => {
    for (const type of ["rsa", "ecdsa"] as const) {
      const other = await startSshd({ clientKey: makeKey(join(home, type), type) })
      const result = await Effect.flatMap(Remote, (remote) => remote.run(other.target(), { script: "echo ok" })).pipe(
        Effect.provide(Ssh2.layer),
        Effect.runPromise,
      )
      expect(result.stdout).toBe("ok\n")
      await other.dispose()
    }
  })

  it("says what the server takes instead of keys", async () => {
    const other = await startSshd({ extra: ["PubkeyAuthentication no", "PasswordAuthentication yes"] })
    const error = await Effect.flatMap(Remote, (remote) => remote.run(other.target(), { script: "true" })).pipe(
      Effect.flip,
      Effect.provide(Ssh2.layer),
      Effect.runPromise,
    )
    expect(error.reason).toBe("authentication")
    expect(error.message).toMatch(/only takes password/)
    await other.dispose()
  })
})
