/** A log's file that is replaced or removed under a running server. */
import { spawn } from "node:child_process"
import { copyFileSync, renameSync, rmSync } from "node:fs"
import { createInterface } from "node:readline"
import { afterAll, describe, expect, it, vi } from "vitest"
import { bundle } from "./support/bundle.js"
import { workspace } from "./support/cli.js"

// Each step is a program that starts, on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 })

const started: Array<() => void> = []
afterAll(() => {
  for (const kill of started) kill()
})

/** A server over the log, and requests to it. */
const served = async ({ db, directory }: ReturnType<typeof workspace>) => {
  const env = { ...process.env, CONTEXT_KEY: "off", CONTEXT_TOKEN: "hers", CONTEXT_DB: db, HOME: directory }
  const child = spawn(process.execPath, [await bundle(), "infra", "serve", "--port", "0", "--json"], {
    env,
    stdio: ["ignore", "pipe", "ignore"],
  })
  started.push(() => child.kill("SIGKILL"))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line).url))
    child.once("exit", () => reject(new Error("the server ended")))
  })
  const hers = { authorization: "Bearer hers", "content-type": "application/json" }
  return async (path: string, body?: object, headers: Readonly<Record<string, string>> = hers) => {
    const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }
    const response = await fetch(`${url}${path}`, { headers, ...sent })
    return { status: response.status, body: (await response.json()) as { readonly message?: string } }
  }
}

type Place = ReturnType<typeof workspace>
const replacements: ReadonlyArray<readonly [string, (at: Place, copy: string) => void]> = [
  ["mv of another file over it", ({ db }, copy) => renameSync(copy, db)],
  ["rm", ({ db }) => rmSync(db)],
]

describe("under a server", () => {
  it.each(replacements)("%s: no write is lost, no read is from the old file", async (_, replace) => {
    const at = workspace()
    await at.succeed("server add before --local")
    const copy = `${at.directory}/copy.db`
    copyFileSync(at.db, copy)
    const call = await served(at)
    expect((await call("/v1/servers", { name: "first" })).status).toBe(201)
    expect(await call("/healthz", undefined, {})).toEqual({ status: 200, body: { status: "ok" } })
    replace(at, copy)
    const refused = { status: 503, body: { message: expect.stringContaining("while it was open") } }
    expect(await call("/v1/servers", { name: "later" })).toMatchObject(refused)
    expect(await call("/v1/servers")).toMatchObject(refused)
    expect(await call("/v1/status")).toMatchObject(refused)
    expect(await call("/v1/alerts")).toMatchObject(refused)
    const health = await call("/healthz", undefined, {})
    expect(health).toMatchObject({ status: 503, body: { _tag: "StorageError", reason: "replaced" } })
  })

  it("restore over it is refused, and the server goes on with the log that it has", async () => {
    const at = workspace()
    await at.succeed("server add before --local")
    const copy = `${at.directory}/copy.db`
    copyFileSync(at.db, copy)
    const call = await served(at)
    expect((await call("/v1/servers", { name: "first" })).status).toBe(201)
    expect(await at.run(`restore ${copy} --yes`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("end what else has it open"),
    })
    expect((await call("/v1/servers", { name: "later" })).status).toBe(201)
    const kept = (await at.json("server list")).map(({ name }: { readonly name: string }) => name)
    expect(kept.sort()).toEqual(["before", "first", "later"])
  })
})
