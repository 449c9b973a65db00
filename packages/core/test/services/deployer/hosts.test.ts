import { execFileSync } from "node:child_process"
import { readFileSync, rmSync } from "node:fs"
import * as Effect from "effect/Effect"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { ReadModels } from "../../../src/ReadModels.js"
import { Hosts } from "../../../src/services/Hosts.js"
import type { ServerRow } from "../../../src/views/servers.js"
import { describeSshd, type Sshd, startSshd } from "../../support/sshd.js"
import { makeMachines } from "./machines.js"
import { listener, onMachine, tracks } from "./setting.js"

describeSshd("whatever the host is like", () => {
  let sshd: Sshd
  const traces = tracks()
  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(async () => {
    await sshd.dispose()
    rmSync(traces.directory, { recursive: true })
  })

  const deploy = (deployCommand: string, seen = listener()) =>
    onMachine(sshd, { deployCommand }, (deployer) => deployer.deploy("api", { onOutput: seen.onOutput }))

  it("a shell that is not bash", async () => {
    const row = await deploy('echo "$(readlink -f /proc/$$/exe), bash: <$BASH_VERSION>"')
    expect(row).toMatchObject({ status: "success", verified: false })
    expect(row.logs).toContain("bash: <>")
  })

  it("a command that leaves a daemon behind, with its output closed or not", async () => {
    for (const closed of [">/dev/null 2>&1", ""]) {
      const row = await deploy(`sleep 300 ${closed} & echo $! > ${traces.path("daemon")}; echo started`)
      expect(row).toMatchObject({ status: "success", logs: "started\n" })
      expect(row.durationSeconds).toBeLessThan(100)
      // It lives on, and Ctrl-C would still end it: no signal that ends programs is ignored.
      const pid = Number(traces.read("daemon"))
      process.kill(pid, 0)
      process.kill(pid, "SIGKILL")
    }
  })

  it("as it would be without us: the same umask, and no signal ignored that a login would not ignore", async () => {
    const look = "umask; grep Sig[IB] /proc/self/status"
    const { deployed, plain } = await onMachine(sshd, { deployCommand: look }, (deployer) =>
      Effect.gen(function* () {
        const [server] = yield* (yield* ReadModels).servers.list()
        const plain = yield* (yield* Hosts).run(server as ServerRow, { script: look })
        return { plain: plain.stdout, deployed: (yield* deployer.deploy("api")).logs }
      }),
    )
    expect(deployed).toBe(plain)
  })

  it("output that is no UTF-8", async () => {
    const seen = listener()
    const row = await deploy("printf 'a\\377\\376b\\n'", seen)
    expect(seen.bytes()).toEqual(Buffer.from([0x61, 0xff, 0xfe, 0x62, 0x0a]))
    expect(row).toMatchObject({ status: "success", logs: "a\ufffd\ufffdb\n" })
  })

  it("a command that asks: it fails at once and says what it asked", async () => {
    const begun = Date.now()
    const row = await deploy('printf "Really deploy? [y/N] "; read answer || exit 1; sleep 60')
    expect(Date.now() - begun).toBeLessThan(45_000)
    expect(row).toMatchObject({ status: "failed" })
    expect(row.reason).toContain('it asked "Really deploy? [y/N]"')
    const password = await deploy("echo 'sudo: a terminal is required to read the password' >&2; exit 1")
    expect(password.reason).toContain("it asked for a password")
    const terminal = await deploy("read answer </dev/tty")
    expect(terminal.status).toBe("failed")
  })

  it("1 GB without a newline, and no more memory for it", async () => {
    const machines = await makeMachines()
    const machine = machines.start(
      sshd,
      { name: "loud", deployCommand: "head -c 1000000000 /dev/zero | tr '\\0' x; exit 3" },
      { measure: true },
    )
    expect(await machine.ended, machine.said()).toBe(0)
    const { bytes, held, row } = JSON.parse(machine.said())
    expect(bytes).toBe(1_000_000_000)
    expect(row).toMatchObject({ status: "failed", reason: "the deploy command exited with 3" })
    expect(row.logs).toHaveLength(64 * 1024 + 1)
    // The log in memory that these tests have holds the 16 MB that are kept of the text, too.
    expect(held / 2 ** 20).toBeLessThan(50)
    machines.dispose()
  }, 240_000)

  it("its login's own noise on both outputs", async () => {
    const noisy = await startSshd({ extra: ["Banner /etc/hostname"] })
    const row = await onMachine(noisy, { deployCommand: "echo quiet" }, (deployer) => deployer.deploy("api"))
    expect(row.logs).toBe("quiet\n")
    await noisy.dispose()
  })
})

/** Only where the tests may mount things: as root. */
const mounted: Array<string> = []
const mount = (at: string, options: string) => {
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", at])
  mounted.push(at)
}
afterEach(() => {
  for (const at of mounted.splice(0)) execFileSync("umount", ["--lazy", at])
})

const describeMounts: typeof describeSshd = process.getuid?.() === 0 ? describeSshd : (describe.skip as never)

describeMounts("a disk that takes no more", () => {
  const traces = tracks()
  afterAll(() => rmSync(traces.directory, { recursive: true }))

  it("full from the beginning, or home not writable: said before anything runs", async () => {
    const sshd = await startSshd()
    const refusal = () =>
      onMachine(sshd, { deployCommand: `echo x >> ${traces.path("ran")}` }, (deployer) =>
        Effect.flip(deployer.deploy("api")),
      )
    mount(sshd.home, "size=64k")
    execFileSync("sh", ["-c", `head -c 1000000 /dev/zero > ${sshd.home}/ballast 2>/dev/null || :`])
    const full = await refusal()
    expect(full).toMatchObject({ _tag: "OperationFailed", next: "make room there, then deploy again" })
    expect(full.message).toContain("its disk is full; nothing was run")
    execFileSync("mount", ["-o", "remount,ro", sshd.home])
    const readOnly = await refusal()
    expect(readOnly.message).toContain("Read-only file system")
    expect(traces.read("ran")).toBe("")
    await sshd.dispose().catch(() => {})
  })

  it("full in the middle: its end is known all the same", async () => {
    const sshd = await startSshd()
    mount(sshd.home, "size=512k")
    const fill = `echo before; head -c 10000000 /dev/zero > ${sshd.home}/ballast; echo after; exit 4`
    const row = await onMachine(sshd, { deployCommand: fill }, (deployer) => deployer.deploy("api"))
    expect(row).toMatchObject({ status: "failed", steps: [{ step: "command", exitCode: 4 }] })
    expect(row.reason).toBe("the deploy command exited with 4; the disk of host is full")
    expect(row.logs).toMatch(/^before\n/)
    expect(readFileSync(`${sshd.home}/.context/deploy/api/counter`, "utf8")).toBe("1\n")
    await sshd.dispose().catch(() => {})
  })
})
