/** Logs, restarts, commands and scans over HTTP, on this machine. */
import { spawnSync } from "node:child_process"
import { appendFileSync, chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { requireTool } from "../../core/test/support/tools.js"
import { testServer, token } from "./support.js"

const server = testServer()
const { call } = server

const file = (name: string) => join(server.directory, name)
const github = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
const hostile = `two \u001b[31mred\u001b[0m\u001b]0;owned\u0007\nuser\u202etxt.exe ${github}\n`

beforeAll(async () => {
  await call("POST /v1/servers", { name: "here", local: true, tags: ["edge"] })
  await call("POST /v1/servers", {
    name: "gone",
    ipAddresses: ["127.0.0.1"],
    sshConfig: { user: "x", port: 1, keyPath: null, jumpHost: null },
  })
  writeFileSync(file("api.log"), `one\n${hostile}`)
  await call("POST /v1/services", { name: "api", server: "here", logPath: file("api.log"), restartCommand: "echo hi" })
  await call("POST /v1/services", { name: "lost", server: "here", logPath: file("none.log"), restartCommand: "exit 4" })
  await call("POST /v1/services", { name: "far", server: "gone", logPath: "/x", restartCommand: "true" })
})

/** The processes of this machine in whose command line a text stands. */
const processes = (text: string) => spawnSync("pgrep", ["-f", text], { encoding: "utf8" }).stdout

describe("logs", () => {
  const lines = async (query = "") => (await call(`GET /v1/services/api/logs${query}`)).body.lines

  it("are the last lines, without escape codes and secrets", async () => {
    expect(await call("GET /v1/services/api/logs")).toMatchObject({
      status: 200,
      body: {
        service: "here/api",
        lines: ["one", "two red", "usertxt.exe [a GitHub token removed]"],
        truncated: false,
      },
    })
    expect(await lines("?n=1")).toHaveLength(1)
    expect(await lines("?grep=red")).toEqual(["two red"])
    expect(await lines("?grep=.*")).toEqual([])
    expect(await lines("?n=0")).toEqual([])
  })

  it("are held to a size, of which the end is kept", async () => {
    writeFileSync(file("long.log"), `${"x".repeat(1000)}\n`.repeat(3000).concat("last\n"))
    await call("POST /v1/services", { name: "long", server: "here", logPath: file("long.log") })
    const { body } = await call("GET /v1/services/long/logs?n=10000")
    expect(body.truncated).toBe(true)
    expect(body.lines.at(-1)).toBe("last")
    expect(body.lines.join("\n").length).toBeLessThanOrEqual(1024 * 1024)
    expect(body.lines.length).toBeGreaterThan(1000)
  })

  it("are refused where there is nothing to read, or what is asked makes no sense", async () => {
    expect(await call("GET /v1/services/apy/logs")).toMatchObject({ status: 404, body: { suggestions: ["api"] } })
    expect(await call("GET /v1/services/lost/logs")).toMatchObject({ status: 422, body: { operation: "logs" } })
    expect(await call("GET /v1/services/far/logs")).toMatchObject({ status: 502, body: { reason: "unreachable" } })
    for (const query of [
      "n=some",
      "n=-1",
      "n=99999",
      "since=yesterday",
      "grep=",
      `grep=${"x".repeat(501)}`,
      "lines=1",
    ]) {
      expect(await call(`GET /v1/services/api/logs?${query}`), query).toMatchObject({
        status: 400,
        body: { _tag: "InvalidInput" },
      })
    }
    expect(await call("GET /v1/services/api/logs?since=10m")).toMatchObject({
      status: 422,
      body: { message: expect.stringContaining("its lines have no times") },
    })
  })
})

requireTool("pgrep", "procps")("logs, followed", () => {
  const follow = async (name: string, signal?: AbortSignal) =>
    fetch(`${server.url}/v1/services/${name}/logs?n=2`, {
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
      ...(signal === undefined ? {} : { signal }),
    })

  it("go on with what is added, until the caller hangs up, which ends it on the host, too", async () => {
    const path = file("live.log")
    writeFileSync(path, "0\n1\n2\n")
    await call("POST /v1/services", { name: "live", server: "here", logPath: path })
    const controller = new AbortController()
    const response = await follow("live", controller.signal)
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/)
    let told = ""
    let added = false
    const reading = (async () => {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        told += new TextDecoder().decode(chunk)
        if (!added && told.includes('"2"')) {
          added = true
          expect(processes(path)).not.toBe("")
          appendFileSync(path, hostile)
        }
        if (told.includes("removed]")) controller.abort()
      }
    })()
    await expect(reading).rejects.toMatchObject({ name: "AbortError" })
    const line = (text: string) => `event: line\ndata: ${JSON.stringify({ service: "here/live", line: text })}\n\n`
    expect(told).toBe(["1", "2", "two red", "usertxt.exe [a GitHub token removed]"].map(line).join(""))
    await vi.waitFor(() => expect(processes(path)).toBe(""), { timeout: 60_000, interval: 100 })
  })

  it("are a 404 for no service, and an event for what goes wrong afterwards", async () => {
    expect((await follow("apy")).status).toBe(404)
    const response = await follow("lost")
    expect(response.status).toBe(200)
    expect(await response.text()).toMatch(/^event: error\ndata: \{"_tag":"OperationFailed",.*there is no log /)
  })
})

describe("restart, stop and start", () => {
  it("answer with how it went", async () => {
    expect(await call("POST /v1/services/api/restart", undefined, { "x-context-actor": "ada" })).toMatchObject({
      status: 200,
      body: { service: "api", server: "here", action: "restart", outcome: "done", verified: false, logs: "hi\n" },
    })
    expect(await call("POST /v1/services/lost/restart")).toMatchObject({
      status: 200,
      body: { outcome: "failed", exitCode: 4, reason: "the restart command exited with 4" },
    })
    const [event] = (await call("GET /v1/events?service=api&limit=1")).body
    expect(event).toMatchObject({ actor: "ada", type: "restart" })
  })

  it("refuse before anything is run", async () => {
    expect(await call("POST /v1/services/apy/restart")).toMatchObject({ status: 404 })
    expect(await call("POST /v1/services/api/stop")).toMatchObject({ status: 422, body: { operation: "stop" } })
    expect(await call("POST /v1/services/api/start")).toMatchObject({ status: 422, body: { operation: "start" } })
    expect(await call("POST /v1/services/far/restart", { force: true })).toMatchObject({ status: 502 })
    expect(await call("POST /v1/services/api/restart", { timeout: "soon" })).toMatchObject({ status: 400 })
    expect(await call("POST /v1/services/api/stop", { healthTimeout: 1 })).toMatchObject({ status: 400 })
    await call("POST /v1/services/api/deploy-lock", { reason: "migrating" })
    expect(await call("POST /v1/services/api/restart")).toMatchObject({ status: 422 })
    expect(await call("POST /v1/services/api/restart", { force: true })).toMatchObject({ body: { outcome: "done" } })
    await call("DELETE /v1/services/api/deploy-lock")
  })

  it("go on when the caller hangs up", async () => {
    const [begun, go, over] = [file("begun"), file("go"), file("over")]
    const restartCommand = `touch ${begun}; while [ ! -e ${go} ]; do sleep 0.1; done; touch ${over}`
    await call("POST /v1/services", { name: "slow", server: "here", restartCommand })
    const controller = new AbortController()
    const asked = fetch(`${server.url}/v1/services/slow/restart`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      signal: controller.signal,
    })
    await vi.waitFor(() => expect(existsSync(begun)).toBe(true), { timeout: 60_000, interval: 50 })
    controller.abort()
    await expect(asked).rejects.toThrow()
    writeFileSync(go, "")
    await vi.waitFor(() => expect(existsSync(over)).toBe(true), { timeout: 60_000, interval: 50 })
    await vi.waitFor(async () => expect((await call("GET /v1/services/slow")).body.status).toBe("running"), {
      timeout: 60_000,
      interval: 50,
    })
  })
})

requireTool("pgrep", "procps")("a command on servers", () => {
  it("answers for each server, with its output cleaned and bounded", async () => {
    const command = [
      "sh",
      "-c",
      `printf '\\033[31mred\\033[0m ${github}\\n' >&2; yes 12345678 | head -c 300000; exit 3`,
    ]
    const { body, status } = await call("POST /v1/servers/run", { all: true, command })
    expect(status).toBe(200)
    expect(body).toMatchObject([
      { server: "gone", exitCode: null, error: { reason: "unreachable" } },
      { server: "here", exitCode: 3, stderr: "red [a GitHub token removed]\n", truncated: true, error: null },
    ])
    expect(body[1].stdout).toMatch(/^(12345678\n)+$/)
    expect(body[1].stdout.length).toBeLessThanOrEqual(64 * 1024)
  })

  it("no shell reads its arguments", async () => {
    const { body } = await call("POST /v1/servers/run", { tag: "edge", command: ["printf", "%s|", "a  b", "$HOME"] })
    expect(body).toMatchObject([{ server: "here", stdout: "a  b|$HOME|", truncated: false }])
  })

  it("is ended when the caller hangs up, and the log says that nobody saw its end", async () => {
    const begun = file("running")
    const controller = new AbortController()
    const asked = fetch(`${server.url}/v1/servers/run`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ servers: ["here"], command: ["sh", "-c", `touch ${begun}; while :; do sleep 0.1; done`] }),
      signal: controller.signal,
    })
    await vi.waitFor(() => expect(existsSync(begun)).toBe(true), { timeout: 60_000, interval: 50 })
    expect(processes(begun)).not.toBe("")
    controller.abort()
    await expect(asked).rejects.toThrow()
    await vi.waitFor(() => expect(processes(begun)).toBe(""), { timeout: 60_000, interval: 100 })
    const events = async () => JSON.stringify((await call("GET /v1/events?server=here&limit=1")).body)
    await vi.waitFor(async () => expect(await events()).toContain("went away"), { timeout: 60_000, interval: 100 })
  })

  it("is refused without a place or a command", async () => {
    const refused = (body: object) => call("POST /v1/servers/run", body)
    expect(await refused({ command: ["true"] })).toMatchObject({ status: 400, body: { field: "servers" } })
    expect(await refused({ all: true, command: [] })).toMatchObject({ status: 400 })
    expect(await refused({ all: true, command: "true" })).toMatchObject({ status: 400, body: { field: "command" } })
    expect(await refused({ all: true, command: ["-x"] })).toMatchObject({ status: 400 })
    expect(await refused({ servers: ["hare"], command: ["true"] })).toMatchObject({ status: 404 })
    expect(await refused({ tag: "none", command: ["true"] })).toMatchObject({ status: 422 })
  })
})

describe("a scan", () => {
  const { PATH } = process.env
  beforeAll(() => {
    const tools = file("tools")
    mkdirSync(tools)
    for (const name of ["systemctl", "docker", "podman", "caddy", "crontab", "ss"]) {
      writeFileSync(join(tools, name), "#!/bin/sh\necho\n")
      chmodSync(join(tools, name), 0o755)
    }
    const site = "server { listen 80; server_name a.example.com; location / { proxy_pass http://127.0.0.1:3000; } }"
    writeFileSync(join(tools, "nginx"), `#!/bin/sh\necho '# configuration file /etc/nginx/a:\n${site}'\n`)
    chmodSync(join(tools, "nginx"), 0o755)
    process.env.PATH = `${tools}:${PATH}`
  })
  afterAll(() => {
    process.env.PATH = PATH
  })

  it("tells what there is, and registers only what is chosen of it", async () => {
    const { body, status } = await call("POST /v1/servers/here/scan")
    expect(status).toBe(200)
    expect(body).toMatchObject({ server: "here", applied: null })
    const route = body.findings.find((one: any) => one.id === "route a.example.com")
    expect(route).toMatchObject({ change: "new", evidence: [{ source: "nginx" }] })
    expect(route).not.toHaveProperty("proposal")
    expect((await call("GET /v1/routes")).body).toEqual([])
    const apply = ["service nginx", "route a.example.com", "service nonsense"]
    const chosen = await call("POST /v1/servers/here/scan", { apply })
    expect(chosen.body.applied).toEqual({
      applied: expect.arrayContaining(["service nginx", "route a.example.com"]),
      skipped: [{ id: "service nonsense", reason: "the scan does not find it" }],
    })
    expect((await call("GET /v1/routes")).body).toMatchObject([{ domain: "a.example.com", server: "here" }])
  })

  it("is refused for servers that there are not, or that nobody answers for", async () => {
    expect(await call("POST /v1/servers/hare/scan")).toMatchObject({ status: 404 })
    expect(await call("POST /v1/servers/gone/scan")).toMatchObject({ status: 502 })
    expect(await call("POST /v1/servers/here/scan", { apply: "all" })).toMatchObject({ status: 400 })
  })
})
