import { chmodSync, mkdtempSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { isConnected, ownerOf, readEndpoint, removeEndpoint, saveEndpoint } from "../../src/sync/config.js"

const freshFile = () => join(mkdtempSync(join(tmpdir(), "context-config-")), "sync.json")
const usual = ownerOf("/logs/infra.db", "/logs/infra.db")
const scratch = ownerOf("/logs/scratch.db", "/logs/infra.db")
const read = (env: Record<string, string>, file: string, owner = usual) =>
  Effect.runPromise(readEndpoint(env, file, owner))
const refused = (env: Record<string, string>, file: string) =>
  Effect.runPromise(Effect.flip(readEndpoint(env, file, usual)))

describe("where the shared log is", () => {
  it("is nowhere unless it is said", async () => {
    expect(await read({}, freshFile())).toBeUndefined()
    expect(await read({ TURSO_URL: "" }, freshFile())).toBeUndefined()
  })

  it("is in a file that only its owner can read, and the environment goes first", async () => {
    const file = freshFile()
    await Effect.runPromise(saveEndpoint(file, usual, { url: "https://one.example.com", token: Redacted.make("t1") }))
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(file, ".."))).toEqual(["sync.json"])
    const saved = await read({}, file)
    expect(saved?.url).toBe("https://one.example.com")
    expect(saved?.token && Redacted.value(saved.token)).toBe("t1")
    expect(JSON.stringify(saved)).not.toContain("t1")
    expect(await read({ TURSO_URL: "libsql://two.turso.io" }, file)).toEqual({ url: "libsql://two.turso.io" })
    await Effect.runPromise(removeEndpoint(file, usual))
    expect(await read({}, file)).toBeUndefined()
  })

  it("is refused where it makes no sense or gives the token away", async () => {
    const file = freshFile()
    for (const url of [
      "nonsense",
      "ftp://x.example.com",
      "https://user:secret@x.example.com",
      "libsql://x?authToken=secret",
    ]) {
      const error = await refused({ TURSO_URL: url }, file)
      expect(error).toMatchObject({ _tag: "InvalidInput", field: "TURSO_URL" })
      expect(error.message).not.toContain("secret")
    }
    writeFileSync(file, JSON.stringify({ url: "https://x.example.com", token: "secret" }))
    chmodSync(file, 0o644)
    expect((await refused({}, file)).message).toContain("chmod 600")
    chmodSync(file, 0o600)
    for (const damaged of ["{ secret", "null", '"secret"', '{"version":3,"logs":{}}', '{"version":2,"logs":null}', '{"version":2,"logs":{"/x":null}}']) {
      writeFileSync(file, damaged)
      expect((await refused({}, file)).message).not.toContain("secret")
    } // biome-ignore format: a list
  })

  it("belongs to one log: others are alone until they are connected themselves", async () => {
    const file = freshFile()
    const env = { TURSO_URL: "https://env.example.com" }
    await Effect.runPromise(saveEndpoint(file, usual, { url: "https://one.example.com" }))
    expect(await read({}, file, scratch)).toBeUndefined()
    expect(await read(env, file, scratch)).toBeUndefined()
    expect([isConnected(env, file, scratch), isConnected({}, file, usual)]).toEqual([false, true])
    await Effect.runPromise(saveEndpoint(file, scratch, { url: "https://two.example.com" }))
    expect([(await read({}, file))?.url, (await read({}, file, scratch))?.url]).toEqual(["https://one.example.com", "https://two.example.com"]) // biome-ignore format: a pair
    await Effect.runPromise(removeEndpoint(file, usual))
    expect([await read({}, file), (await read({}, file, scratch))?.url]).toEqual([undefined, "https://two.example.com"])
  })

  it("is that of the usual log where a file of the first form says it, and stays so", async () => {
    const file = freshFile()
    writeFileSync(file, JSON.stringify({ url: "http://10.0.0.5:8080", token: "t1" }), { mode: 0o600 })
    expect((await read({}, file))?.url).toBe("http://10.0.0.5:8080")
    expect(await read({}, file, scratch)).toBeUndefined()
    await Effect.runPromise(saveEndpoint(file, scratch, { url: "https://two.example.com" }))
    expect((await read({}, file))?.token).toBeDefined()
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it("is the same by whatever way the file is named", async () => {
    const directory = mkdtempSync(join(tmpdir(), "context-config-"))
    symlinkSync(directory, join(directory, "link"))
    const { defaultPath, path } = ownerOf(join(directory, "link", "infra.db"), join(directory, "..", basename(directory), "infra.db")) // biome-ignore format: a pair
    expect(path).toBe(defaultPath)
  })

  it("never gets a token unencrypted, unless it is on purpose or this very machine", async () => {
    const file = freshFile()
    const token = { TURSO_AUTH_TOKEN: "secret" }
    for (const TURSO_URL of ["http://10.0.0.5:8080", "http://example.com", "libsql://example.com:8080?tls=0", "http://127.0.0.1.example.com", "http://localhost.example.com"]) {
      const error = await refused({ ...token, TURSO_URL }, file)
      expect(error.message).toContain("CONTEXT_SYNC_INSECURE=1")
      expect(error.message).not.toContain("secret")
      expect(await read({ ...token, TURSO_URL, CONTEXT_SYNC_INSECURE: "1" }, file)).toMatchObject({ url: TURSO_URL })
      expect(await read({ TURSO_URL }, file)).toEqual({ url: TURSO_URL })
    } // biome-ignore format: a list
    for (const TURSO_URL of ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080", "libsql://127.0.0.1:8080?tls=0", "https://example.com"]) {
      expect(await read({ ...token, TURSO_URL }, file)).toMatchObject({ url: TURSO_URL })
    } // biome-ignore format: a list
  })
})
