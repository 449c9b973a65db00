/** Deployments on a real sshd that are left, picked up, cancelled, locked and pinned. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest"
import { describeSshd, type Sshd, startSshd } from "../../core/test/support/sshd.js"
import { type RunOptions, workspace } from "./support/cli.js"

/** Does something once, when the output holds a text for the first time. */
const once = (text: string, act: () => void): NonNullable<RunOptions["watch"]> => {
  let done = false
  return (soFar) => {
    if (done || !soFar.includes(text)) return
    done = true
    act()
  }
}

/** Sends a signal or types keys at the first sight of each text, one after the other. */
const script = (...parts: ReadonlyArray<readonly [text: string, keys: string]>): NonNullable<RunOptions["watch"]> => {
  let next = 0
  let from = 0
  return (soFar, _, type) => {
    const [text, keys] = parts[next] ?? [undefined, ""]
    const at = text === undefined ? -1 : soFar.indexOf(text, from)
    if (text === undefined || at < 0) return
    next += 1
    from = at + text.length
    type(keys)
  }
}

describeSshd("a deployment that outlives whoever began it", () => {
  const ws = workspace()
  const other = workspace()
  const traces = mkdtempSync(join(tmpdir(), "context-traces-"))
  const hold = join(traces, "hold")
  const chatty = join(traces, "chatty")
  const release = () => rmSync(hold, { force: true })
  let sshd: Sshd

  beforeAll(async () => {
    sshd = await startSshd()
    const ssh = `user=${sshd.user},port=${sshd.port},key=${sshd.keyPath}`
    const loop = `while [ -e ${hold} ]; do sleep 0.05; [ -e ${chatty} ] && echo still; done`
    const deploy = `echo ran >> ${traces}/ran; echo begun; ${loop}; echo over`
    for (const machine of [ws, other]) {
      await machine.succeed(["server", "add", "host", "--ip", sshd.host, "--ssh", ssh])
      await machine.succeed("server status --accept-host-key")
      await machine.succeed(["service", "add", "api", "--server", "host", "--deploy", deploy])
    }
  })
  beforeEach(() => {
    rmSync(join(traces, "ran"), { force: true })
    writeFileSync(hold, "")
  })
  afterAll(async () => {
    rmSync(traces, { recursive: true, force: true })
    await sshd?.dispose()
  })
  const ran = () => readFileSync(join(traces, "ran"), "utf8")

  it("is left by a signal, and picked up from another machine", async () => {
    let sent = false
    const left = await ws.run("deploy api", {
      watch: (soFar, signal) => {
        if (sent || !soFar.includes("begun")) return
        sent = true
        signal("SIGTERM")
      },
    })
    expect(left).toMatchObject({ code: 130, stderr: "it goes on on host: context infra deploy attach host/api\n" })
    const [open] = await ws.json("history api")
    expect(open).toMatchObject({ status: "in_progress" })
    expect((await ws.run("status")).stdout).toMatch(/! api +deploying/)
    const seen = await other.run("deploy attach api", { watch: once("begun", release) })
    expect(seen, seen.stderr).toMatchObject({ code: 0 })
    expect(seen.stdout).toMatch(/^→ watching deployment \S+\n {2}│ begun\n {2}│ over\n✓ host\/api deployed/)
    expect(seen.stdout).toContain("success (unverified)")
    expect(ran()).toBe("ran\n")
    const [settled] = await ws.json(`deploy attach ${open.id}`).then((row) => [row])
    expect(settled).toMatchObject({ id: open.id, status: "success" })
    expect((await ws.json("history api"))[0]).toMatchObject({ id: open.id, status: "success" })
    expect((await other.json("history api"))[0]).toMatchObject({ id: open.id, status: "success" })
  })

  it("goes on when the link drops, and no line is lost or told twice", async () => {
    const ended = await ws.run("deploy api", {
      watch: (soFar) => {
        if (soFar.includes("connected again")) return
        if (soFar.includes("the link is down")) release()
        else if (soFar.includes("begun")) sshd.dropConnections()
      },
    })
    expect(ended, ended.stderr).toMatchObject({ code: 0 })
    expect(ended.stdout.match(/→ the link is down; the deploy goes on there\n/g)).toHaveLength(1)
    expect(ended.stdout.match(/│ (begun|over)/g)).toEqual(["│ begun", "│ over"])
    expect(ran()).toBe("ran\n")
  })

  it("Ctrl-C on a terminal asks; Enter goes on watching, d leaves it", async () => {
    const asked = "Enter to keep watching: "
    writeFileSync(chatty, "")
    const left = await ws.run("deploy api", {
      terminal: true,
      watch: script(["begun", "\u0003"], [asked, "\n"], ["still", "\u0003"], [asked, "d\n"]),
    })
    rmSync(chatty)
    expect(left.code, left.stdout).toBe(130)
    expect(left.stdout.match(/\[d\]etach/g)).toHaveLength(2)
    expect(left.stdout).toContain("it goes on on host: context infra deploy attach host/api")
    release()
    expect((await ws.run("deploy attach api")).code).toBe(0)
  })

  it("a second Ctrl-C leaves at once; c cancels", async () => {
    const asked = "Enter to keep watching: "
    const left = await ws.run("deploy api", { terminal: true, watch: script(["begun", "\u0003"], [asked, "\u0003"]) })
    expect(left.code, left.stdout).toBe(130)
    expect(left.stdout).toContain("it goes on on host")
    const ended = await ws.run("deploy attach api", {
      terminal: true,
      watch: script(["begun", "\u0003"], [asked, "c\n"]),
    })
    expect(ended.code, ended.stdout).toBe(1)
    expect(ended.stdout).toMatch(/error: the deploy of host\/api failed: it was cancelled by/)
    expect(ran()).toBe("ran\n")
  })

  it("is cancelled, when somebody says so", async () => {
    const refused = await ws.run("deploy cancel api")
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/whether to cancel.*\n {2}add --yes/) })
    let cancelled: Promise<unknown> | undefined
    const watching = ws.run("deploy api", {
      watch: once("begun", () => {
        cancelled = other.succeed("deploy cancel api --yes")
      }),
    })
    const ended = await watching
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/failed: it was cancelled by \S+ on/)
    expect(await cancelled).toMatch(/^✓ cancelled deployment \S+ of host\/api\n$/)
    expect(await ws.run("deploy cancel api --yes")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("nothing of host/api is being deployed"),
    })
  })

  it("is refused while somebody holds the lock, and told who", async () => {
    expect(await ws.run("deploy lock api")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--message is missing/),
    })
    const locked = await other.json(["deploy", "lock", "api", "-m", "migrating"], { env: { CONTEXT_ACTOR: "ada" } })
    expect(locked).toMatchObject({ service: "host/api", counter: expect.any(Number) })
    const ended = await ws.run("deploy api")
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/locked by ada on .*\(migrating\): it is held by hand\n.*deploy unlock host\/api/s)
    expect((await ws.run("deploy api --take-over")).code).toBe(1)
    const plan = await ws.run("deploy api --plan")
    expect(plan).toMatchObject({ code: 1, stdout: expect.stringMatching(/✗ it is locked: it is held by hand/) })
    expect(existsSync(join(traces, "ran"))).toBe(false)
    release()
    let unlocked: Promise<unknown> | undefined
    const waited = await ws.run("deploy api --wait 60s", {
      watch: once("waiting for the lock of ada", () => {
        unlocked = other.succeed("deploy unlock api")
      }),
    })
    await unlocked
    expect(waited, waited.stderr).toMatchObject({ code: 0 })
    expect(waited.stdout.match(/waiting for the lock of ada/g)).toHaveLength(1)
    expect((await ws.run("deploy unlock api")).code).toBe(1)
  })

  it("a pinned service stays as it is", async () => {
    release()
    expect(await ws.succeed(["deploy", "pin", "api", "-m", "the demo"])).toMatch(/^✓ pinned host\/api\n$/)
    expect((await ws.run("deploy api")).stderr).toMatch(/pinned: the demo\n.*deploy unpin host\/api/)
    expect(await ws.succeed("service show api")).toMatch(/pinned +yes: the demo/)
    expect(await ws.succeed("service list")).toMatch(/DEPLOY[\s\S]*api/)
    expect((await ws.run("status")).stdout).toContain("pinned (the demo)")
    await ws.succeed("deploy unpin api")
    expect((await ws.run("deploy unpin api")).code).toBe(1)
    expect((await ws.run("deploy api")).code).toBe(0)
  })

  it("a service may be called like a verb", async () => {
    await ws.succeed(["service", "add", "lock", "--server", "host", "--deploy", "echo $CONTEXT_SERVICE"])
    expect((await ws.run("deploy host/lock")).stdout).toContain("│ lock")
    expect((await ws.json("history host/lock"))[0]).toMatchObject({ service: "lock", status: "success" })
  })

  it("history shows what is open when the host cannot be reached", async () => {
    let sent = false
    const left = await ws.run("deploy api", {
      watch: (soFar, signal) => {
        if (sent || !soFar.includes("begun")) return
        sent = true
        signal("SIGINT")
      },
    })
    expect(left.code).toBe(130)
    await sshd.stop()
    const shown = await ws.run("history api --limit 1 --json")
    const why = /^api: in progress as far as the log knows; .*: host: nothing accepts connections at .*\n$/
    expect(shown).toMatchObject({ code: 0, stderr: expect.stringMatching(why) })
    expect(JSON.parse(shown.stdout)).toMatchObject([{ status: "in_progress" }])
    await sshd.restart()
    release()
    expect((await ws.run("deploy attach api")).code).toBe(0)
  })
})
