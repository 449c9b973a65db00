/** Logs, restarts and commands on servers, by hand: this machine, and a real sshd behind a link that breaks. */
import { appendFileSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Proxy, startProxy } from "../../core/test/support/proxy.js"
import { describeSshd, type Sshd, startSshd } from "../../core/test/support/sshd.js"
import { workspace } from "./support/cli.js"

describe("service logs", () => {
  const ws = workspace()
  const file = (name: string) => join(ws.directory, `${name}.log`)
  beforeAll(async () => {
    await ws.succeed("server add here --local")
    for (const name of ["api", "web"]) await ws.succeed(`service add ${name} --server here --log ${file(name)}`)
    writeFileSync(file("api"), "one\ntwo \u001b[31mred\u001b[0m\u001b]0;owned\u0007\nuser\u202etxt.exe error\n")
    writeFileSync(file("web"), Array.from({ length: 300 }, (_, n) => `w${n}\n`).join(""))
  })

  it("prints the lines of one service as they are, but for what a terminal would act on", async () => {
    expect(await ws.run("service logs api")).toEqual({
      code: 0,
      stdout: "one\ntwo red\nusertxt.exe error\n",
      stderr: "",
    })
  })

  it("shows the last 100 lines, so many, or all", async () => {
    const lines = async (more: string) => (await ws.succeed(`service logs web ${more}`)).split("\n").slice(0, -1)
    expect(await lines("")).toHaveLength(100)
    expect(await lines("-n 2")).toEqual(["w298", "w299"])
    expect(await lines("--lines all")).toHaveLength(300)
    expect(await lines("-n all --grep 7$")).toHaveLength(30)
  })

  it("of several services each line says whose it is, on a terminal in a colour of its own", async () => {
    const plain = await ws.succeed("service logs api web -n 1")
    expect(plain.split("\n").sort()).toEqual(["", "here/api │ usertxt.exe error", "here/web │ w299"])
    const { stdout } = await ws.run("service logs api web -n 1", { terminal: true, env: { TERM: "xterm" } })
    for (const colour of [36, 35]) expect(stdout).toContain(`\u001b[${colour}mhere/`)
  })

  it("with --json each line is an object on a line of its own", async () => {
    const lines = (await ws.succeed("service logs api --json")).split("\n").slice(0, -1)
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      ["one", "two red", "usertxt.exe error"].map((line) => ({ service: "here/api", line })),
    )
  })

  it("follows until Ctrl-C, which ends it quietly with 130", async () => {
    let added = false
    const ended = await ws.run("service logs web -f -n 1", {
      watch: (soFar, signal) => {
        if (soFar.endsWith("w299\n") && !added) {
          added = true
          appendFileSync(file("web"), "added\n")
        }
        if (soFar.endsWith("added\n")) signal("SIGINT")
      },
    })
    expect(ended).toEqual({ code: 130, stdout: "w299\nadded\n", stderr: "" })
  })

  it("draws no progress between the lines, however long it waits", async () => {
    const waited = new Promise((resolve) => setTimeout(resolve, 2_500))
    const { stdout } = await ws.run("service logs web -f -n 1", {
      terminal: true,
      env: { TERM: "xterm" },
      // What is on the screen is still so after the time in which a progress line would have come.
      watch: (soFar, signal) => {
        if (soFar.includes("added")) void waited.then(() => signal("SIGTERM"))
      },
    })
    expect(stdout).not.toContain("reading the log")
  })

  it("what cannot be understood is refused before anything is read", async () => {
    for (const [line, why] of [
      ["service logs", "missing argument <name>"],
      ["service logs api --grep (", "Unterminated group"],
      ["service logs api -n some", "must be a number of lines, or all"],
      ["service logs api --since yesterday", "--since must be a span such as 2h"],
    ] as const) {
      const ended = await ws.run(line)
      expect(ended).toMatchObject({ code: 2, stdout: "" })
      expect(ended.stderr).toContain(why)
    }
    expect(await ws.run("service logs nobody")).toMatchObject({ code: 1 })
    const files = await ws.run("service logs api --since 10m")
    expect(files).toMatchObject({ code: 1, stderr: expect.stringContaining("its lines have no times to go by") })
  })
})

describeSshd("service logs over a link that breaks", () => {
  const ws = workspace()
  let sshd: Sshd
  let proxy: Proxy
  const file = (name: string) => join(ws.directory, `${name}.log`)
  beforeAll(async () => {
    sshd = await startSshd()
    proxy = await startProxy(sshd.port)
    const ssh = `user=${sshd.user},port=${proxy.port},key=${sshd.keyPath}`
    await ws.succeed(["server", "add", "far", "--ip", sshd.host, "--ssh", ssh])
    await ws.succeed("server status --accept-host-key").catch(() => "")
    for (const name of ["api", "web"]) {
      writeFileSync(file(name), `${name} 0\n`)
      await ws.succeed(`service add ${name} --server far --log ${file(name)}`)
    }
  })
  afterAll(async () => {
    await proxy.close()
    await sshd.dispose()
  })

  it("says so once on standard error, however many logs are read, and goes on with the next line", async () => {
    let stage = 0
    const ended = await ws.run("service logs api web -f --json", {
      watch: (soFar, signal) => {
        if (stage === 0 && soFar.includes("api 0") && soFar.includes("web 0")) {
          stage = 1
          proxy.cut()
          for (const name of ["api", "web"]) appendFileSync(file(name), `${name} 1\n`)
        }
        if (stage === 1 && soFar.includes("api 1") && soFar.includes("web 1") && soFar.includes("up again")) {
          stage = 2
          signal("SIGINT")
        }
      },
    })
    expect(ended.code).toBe(130)
    const lines = ended.stdout.split("\n").filter((line) => line !== "")
    expect(lines.map((line) => JSON.parse(line).line).sort()).toEqual(["api 0", "api 1", "web 0", "web 1"])
    expect(ended.stderr).toBe(
      "── the link to far is down; it is tried again and again, and no line is lost\n── the link to far is up again\n",
    )
  })
})

describe("service restart, stop and start", () => {
  const ws = workspace()
  let server: Server
  let status = 200
  beforeAll(async () => {
    server = createServer((_, response) => response.writeHead(status).end())
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
    const { port } = server.address() as AddressInfo
    await ws.succeed("server add here --local")
    await ws.succeed(["service", "add", "api", "--server", "here", "--restart", "echo on; echo its way >&2"])
    await ws.succeed(`service add web --server here --restart true --health / --port ${port}`)
    await ws.succeed(["service", "add", "bad", "--server", "here", "--restart", "echo no such thing; exit 4"])
  })
  afterAll(() => void server.close())

  it("shows what is run and what it prints, and says how it ended", async () => {
    const { stdout } = await ws.run("service restart api")
    expect(stdout).toMatch(
      /^→ running the restart command\n( {2}│ (on|its way)\n){2}✓ here\/api restarted in (<0\.1|[\d.]+) s \(unverified/,
    )
    expect(await ws.succeed("service restart web")).toMatch(
      /→ waiting until it is healthy\n✓ here\/web restarted in .* s, and healthy\n$/,
    )
    expect(await ws.json("service show api")).toMatchObject({ status: "running" })
  })

  it("--json gives the report alone on standard output", async () => {
    expect(await ws.json("service restart web")).toMatchObject({ action: "restart", outcome: "done", verified: true })
  })

  it("what did not become healthy is exit status 1", async () => {
    status = 500
    const ended = await ws.run("service restart web --health-timeout 1s")
    status = 200
    expect(ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: the restart of here\/web failed: it did not become healthy: 500 in/),
    })
    expect(await ws.json("service show web")).toMatchObject({ status: "failed" })
  })

  it("and so is a command that failed", async () => {
    const ended = await ws.run("service restart bad")
    expect(ended).toMatchObject({
      code: 1,
      stderr:
        "error: the restart of here/bad failed: the restart command exited with 4: no such thing\n  see what it wrote: context infra service logs here/bad\n",
    })
    expect((await ws.run("service restart bad --health-timeout soon")).code).toBe(2)
  })

  it("is refused while somebody holds the deploy lock, unless it is forced", async () => {
    await ws.succeed(["deploy", "lock", "api", "-m", "migrating"])
    const refused = await ws.run("service restart api")
    expect(refused).toMatchObject({ code: 1, stdout: "" })
    expect(refused.stderr).toMatch(/here\/api is locked by .* \(migrating\): it is held by hand\n.*--force/)
    await ws.succeed("service restart api --force")
    await ws.succeed("deploy unlock api")
  })

  it("stop asks first", async () => {
    expect(await ws.run("service stop api")).toMatchObject({ code: 1, stderr: expect.stringContaining("add --yes") })
    const ended = await ws.run("service stop api --yes")
    expect(ended.stderr).toContain("nobody on here knows how to stop api")
  })
})

describe("server run", () => {
  const ws = workspace()
  beforeAll(async () => {
    await ws.succeed("server add here --local --tag edge")
    await ws.succeed("server add gone --ip 127.0.0.1 --ssh user=x,port=1")
  })

  it("prints what each server said, made safe, then how it ended on each", async () => {
    const ended = await ws.run(["server", "run", "--all", "--", "printf", "%s\\033[31m\\n", "a  b", "$HOME"])
    expect(ended.code).toBe(1)
    expect(ended.stdout).toContain("── here\n  │ a  b\n  │ $HOME\n")
    expect(ended.stdout).toMatch(/\nSERVER +EXIT +TOOK +WHY\ngone +none .*\nhere +0 .*\n$/)
    expect(ended.stdout).not.toContain("\u001b")
  })

  it("exit status 0 only if all were 0", async () => {
    expect((await ws.run("server run --tag edge -- true")).code).toBe(0)
    expect((await ws.run("server run here -- sh -c 'exit 7'")).code).toBe(1)
  })

  it("--json gives one document", async () => {
    const { code, stdout } = await ws.run(["server", "run", "here", "gone", "--json", "--", "echo", "x"])
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject([
      { server: "gone", exitCode: null, error: { reason: "unreachable" } },
      { server: "here", exitCode: 0, stdout: "x\n", stderr: "", error: null },
    ])
  })

  it("a deadline is one server's own", async () => {
    const ended = await ws.run("server run here --timeout 1s -- sleep 30")
    expect(ended).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/here +none +[\d.]+ s +it did not end within 1 s\n$/),
    })
  })

  it("what is missing is said", async () => {
    for (const [line, why] of [
      ["server run here", "name a command after --"],
      ["server run -- true", "say where: <name>, --tag or --all"],
      ["server run here --timeout x -- true", "--timeout must be a span"],
    ] as const) {
      expect(await ws.run(line)).toMatchObject({ code: 2, stderr: expect.stringContaining(why) })
    }
  })

  it("what was run is on the timeline", async () => {
    expect(await ws.succeed("events --server here")).toMatch(/here: ran printf /)
  })
})
