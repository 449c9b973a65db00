import { chmodSync, mkdtempSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { readEndpoint, removeEndpoint, saveEndpoint } from "../../src/sync/config.js"

const freshFile = () => join(mkdtempSync(join(tmpdir(), "context-config-")), "sync.json")
const read = (env: Record<string, string>, file: string) => Effect.runPromise(readEndpoint(env, file))
const refused = (env: Record<string, string>, file: string) => Effect.runPromise(Effect.flip(readEndpoint(env, file)))

describe("where the shared log is", () => {
  it("is nowhere unless it is said", async () => {
    expect(await read({}, freshFile())).toBeUndefined()
    expect(await read({ TURSO_URL: "" }, freshFile())).toBeUndefined()
  })

  it("is in a file that only its owner can read, and the environment goes first", async () => {
    const file = freshFile()
    await Effect.runPromise(saveEndpoint(file, { url: "https://one.example.com", token: Redacted.make("t1") }))
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(file, ".."))).toEqual(["sync.json"])
    const saved = await read({}, file)
    expect(saved?.url).toBe("https://one.example.com")
    expect(saved?.token && Redacted.value(saved.token)).toBe("t1")
    expect(JSON.stringify(saved)).not.toContain("t1")
    expect(await read({ TURSO_URL: "libsql://two.turso.io" }, file)).toEqual({ url: "libsql://two.turso.io" })
    await Effect.runPromise(removeEndpoint(file))
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
    writeFileSync(file, "{ secret")
    expect((await refused({}, file)).message).not.toContain("secret")
  })
})
