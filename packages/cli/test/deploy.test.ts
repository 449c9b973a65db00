/** Deploys and rollbacks of a real repository on this machine, behind a real health endpoint. */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { workspace } from "./support/cli.js"

describe("deploy, rollback, history", () => {
  const ws = workspace()
  const origin = join(ws.directory, "origin")
  const live = join(ws.directory, "live")
  let server: Server
  const git = (...args: ReadonlyArray<string>) =>
    execFileSync("git", ["-C", origin, "-c", "user.name=t", "-c", "user.email=t@t", ...args], {
      encoding: "utf8",
    }).trim()
  const commit = (content: string): string => {
    writeFileSync(join(origin, "health"), content)
    git("add", ".")
    git("commit", "-qm", content)
    return git("rev-parse", "HEAD")
  }
  let v1 = ""
  let v2 = ""

  beforeAll(async () => {
    mkdirSync(origin)
    git("init", "-q", "-b", "main")
    v1 = commit("200")
    execFileSync("git", ["clone", "-q", origin, live])
    // Answers with the status that the deployed version says.
    server = createServer((_, response) => {
      response.statusCode = Number(readFileSync(join(live, "health"), "utf8"))
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    await ws.succeed("server add here --local")
    await ws.succeed([
      ...["service", "add", "api", "--server", "here", "--project", live, "--health", "/"],
      ...["--port", String((server.address() as AddressInfo).port)],
      ...["--deploy", `cd ${live} && printf '\\033[31mfetching\\033[0m\\n' && git pull -q && echo built >&2`],
      ...["--log", join(ws.directory, "log")],
    ])
    writeFileSync(join(ws.directory, "log"), "one\ntwo \u001b[31mred\nthree\n")
  })
  afterAll(() => void server?.close())

  it("streams the output, made safe, and says how it ended", async () => {
    const ended = await ws.run("deploy api --note first")
    expect(ended, ended.stderr).toMatchObject({ code: 0, stderr: "" })
    expect(ended.stdout).toMatch(
      /→ running the deploy command\n {2}│ fetching\n {2}│ built\n→ waiting until it is healthy\n/,
    )
    expect(ended.stdout).toMatch(new RegExp(`✓ here/api deployed at ${v1.slice(0, 12)} in [\\d.]+ s, and healthy\n$`))
    expect(ended.stdout).not.toContain("\u001b")
  })

  it("a version that does not become healthy is a failure, and the way back is said", async () => {
    v2 = commit("500")
    const ended = await ws.run("deploy api --health-timeout 1s")
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/error: the deploy of here\/api failed: it did not become healthy: 500 in/)
    expect(ended.stderr).toMatch(/ {2}│ fetching\n {2}│ built\n {2}roll back: context infra rollback here\/api\n$/)
    expect(await ws.run("status")).toMatchObject({ code: 1, stdout: expect.stringMatching(/✗ api +unhealthy/) })
    expect((await ws.run("health")).code).toBe(1)
  })

  it("rollback goes back to what worked", async () => {
    const ended = await ws.run("rollback api --json")
    expect(ended, ended.stderr).toMatchObject({ code: 0 })
    expect(JSON.parse(ended.stdout)).toMatchObject({ status: "success", version: v1, deployMethod: "rollback" })
    expect(ended.stderr).toMatch(/│ built/)
    const rows = await ws.json("history api")
    expect(rows.map((row: any) => row.status)).toEqual(["success", "rolled_back", "success"])
    expect(rows.map((row: any) => row.version)).toEqual([v1, v2, v1])
    expect(rows[2].notes).toBe("first")
    const failed = await ws.run(`deploy attach ${rows[1].id}`)
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining(`rolled back to ${v1.slice(0, 12)}`) })
    expect((await ws.run("status")).code).toBe(0)
    expect(await ws.json("history api --limit 1")).toHaveLength(1)
  })

  it("--json prints one document, and the error in words", async () => {
    const ended = await ws.run("deploy api --version main --json --health-timeout 1s")
    expect(ended.code).toBe(1)
    expect(JSON.parse(ended.stdout)).toMatchObject({ status: "failed", version: v2 })
    expect(ended.stderr).toMatch(/error: the deploy of here\/api failed/)
    await ws.succeed("rollback api")
  })

  it("a version can never become a command", async () => {
    const before = ws.events()
    const ended = await ws.run(["deploy", "api", "--version", `$(touch ${ws.directory}/pwned)`])
    expect(ended.code).toBe(2)
    expect(ended.stderr).toMatch(/--version .* is not a version/)
    expect(existsSync(join(ws.directory, "pwned"))).toBe(false)
    expect(ws.events()).toBe(before)
  })

  it("Ctrl-C before it has begun leaves nothing behind: no lock, and nothing in the history", async () => {
    const project = join(ws.directory, "early")
    const hold = join(ws.directory, "hold")
    const fetching = join(ws.directory, "fetching")
    execFileSync("git", ["init", "-q", project])
    // Looking for the version takes as long as the file is there.
    const slow = `sh -c 'touch ${fetching}; while [ -e ${hold} ]; do sleep 0.05; done; exit 1' --`
    for (const setting of [
      ["remote.origin.url", "ssh://origin/early"],
      ["core.sshCommand", slow],
    ]) {
      execFileSync("git", ["-C", project, "config", ...setting])
    }
    writeFileSync(hold, "")
    await ws.succeed([
      "service",
      "add",
      "early",
      "--server",
      "here",
      "--project",
      project,
      "--deploy",
      "echo {{version}}",
    ])
    let interrupt = () => {}
    const running = ws.run("deploy early --version 1234567", {
      watch: (_, signal) => {
        interrupt = () => signal("SIGINT")
      },
    })
    await vi.waitFor(() => expect(existsSync(fetching)).toBe(true), 60_000)
    interrupt()
    expect(await running).toMatchObject({ code: 130, stderr: "" })
    rmSync(hold)
    expect(await ws.json("history early")).toEqual([])
    await ws.succeed(["service", "update", "early", "--deploy", "echo ran"])
    const ended = await ws.run("deploy early --wait 10s")
    expect(ended, ended.stderr).toMatchObject({ code: 0 })
    await ws.succeed("service remove early --yes")
  })

  it("service status shows the end of the log, made safe", async () => {
    const shown = await ws.succeed("service status api --lines 2")
    expect(shown).toMatch(/health +healthy/)
    expect(shown).toContain("two red\n    three\n")
    expect(shown).not.toContain("one")
    expect((await ws.json("service status api")).log).toContain("one")
  })
})

describe("serve", () => {
  const ws = workspace()

  it("serves until it is interrupted, and shows its token once", async () => {
    let answered: Promise<Response> | undefined
    const ended = await ws.run("serve --port 0 --json", {
      watch: (soFar, signal) => {
        if (answered !== undefined || !soFar.includes("\n")) return
        const { token, url } = JSON.parse(soFar)
        answered = fetch(`${url}/v1/status`, { headers: { authorization: `Bearer ${token}` } }).finally(() =>
          signal("SIGINT"),
        )
      },
    })
    expect(ended.code, ended.stderr).toBe(130)
    expect((await answered)?.status).toBe(200)
  })

  it("says what is wrong with the port", async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve))
    const { port } = taken.address() as AddressInfo
    const ended = await ws.run(`serve --port ${port}`)
    taken.close()
    expect(ended).toMatchObject({ code: 1, stdout: "" })
    expect(ended.stderr).toMatch(/is in use/)
  })
})
