import { spawnSync } from "node:child_process"
import { cpus, totalmem } from "node:os"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { parseProbe, probeScript, resourcesOf } from "../../src/services/probe.js"
import { findTool, requireTool } from "../support/tools.js"

const debian = `context-probe=1
kernel=Linux 6.1.0-18-amd64
os=debian-12
uptime=1036931.25
load=0.42 0.36 0.30
cpus=4
MemTotal:16384256
MemAvailable:9216128
disk=102687672 52343544
`

const alpine = `context-probe=1
kernel=Linux 6.6.16-0-virt
os=alpine-3.19.1
uptime=88.08
load=0.00 0.01 0.00
cpus=1
MemTotal:495288
MemAvailable:421396
disk=3030800 2774624
`

/** No /proc and no /etc/os-release. */
const macos = `context-probe=1
kernel=Darwin 23.4.0
cpus=10
disk=971350180 213044160
`

/** Everything optional missing: a router with an old kernel. */
const router = "context-probe=1\r\nkernel=Linux 2.6.36\r\ncpus=\r\nMemTotal:126012\r\ndisk=3776 -\r\n"

const kib = 1024

describe("what the probe printed", () => {
  it("on Debian", () => {
    const metrics = parseProbe(debian)
    expect(metrics).toEqual({
      os: "debian-12",
      kernel: "Linux 6.1.0-18-amd64",
      uptime: 1_036_931.25,
      load: [0.42, 0.36, 0.3],
      cpus: 4,
      memory: { total: 16_384_256 * kib, available: 9_216_128 * kib },
      disk: { total: 102_687_672 * kib, available: 52_343_544 * kib },
    })
    expect(metrics && resourcesOf(metrics)).toEqual({ cpu: 4, ram: "16GB", disk: "98GB" })
  })

  it("on Alpine, with busybox", () => {
    const metrics = parseProbe(alpine)
    expect(metrics).toMatchObject({ os: "alpine-3.19.1", uptime: 88.08, load: [0, 0.01, 0], cpus: 1 })
    expect(metrics && resourcesOf(metrics)).toEqual({ cpu: 1, ram: "1GB", disk: "3GB" })
  })

  it("on macOS, which tells less", () => {
    const metrics = parseProbe(macos)
    expect(metrics).toEqual({
      os: null,
      kernel: "Darwin 23.4.0",
      uptime: null,
      load: null,
      cpus: 10,
      memory: null,
      disk: { total: 971_350_180 * kib, available: 213_044_160 * kib },
    })
    expect(metrics && resourcesOf(metrics)).toEqual({ cpu: 10, ram: null, disk: "926GB" })
  })

  it("on something that hardly tells anything", () => {
    const metrics = parseProbe(router)
    expect(metrics).toMatchObject({ kernel: "Linux 2.6.36", cpus: null, memory: null, disk: null })
    expect(metrics && resourcesOf(metrics)).toEqual({ cpu: null, ram: null, disk: null })
  })

  it("after a login's greeting, which says nothing about the machine", () => {
    const greeting =
      "\u001b[32mWelcome!\u001b[0m\nuptime: 3 days\nload=9 9 9\nMemTotal: 1\nMemAvailable: 1\nos: Windows\n"
    expect(parseProbe(greeting + debian)).toEqual(parseProbe(debian))
    expect(parseProbe(greeting + macos)).toEqual(parseProbe(macos))
  })

  it.each(["", "\n", "sh: syntax error", "This account is closed.\n", "context-probe=2\n", "x context-probe=1", "\0"])(
    "is nothing if it did not run: %j",
    (output) => expect(parseProbe(output)).toBeNull(),
  )

  it("is stripped of escape codes and whatever else is not plain text", () => {
    const evil = "\u001b]0;pwned\u0007\u001b[2J\u001b[31mdebian\u202e-12\u009b5m\u0000\u007f"
    expect(parseProbe(`context-probe=1\nos=${evil}\nkernel=${"k".repeat(5_000)}\n`)).toMatchObject({
      os: "debian-125m",
      kernel: "k".repeat(100),
    })
  })

  it.each([
    "Infinity",
    "NaN",
    "-1",
    "1e300",
    "9".repeat(400),
    "0x10",
    "1_000",
    "12abc",
    "1,5",
    "9007199254740993",
    "",
    "-",
  ])("has no number in %j", (number) => {
    const metrics = parseProbe(
      `context-probe=1\nuptime=${number}\nload=${number} 1 1\ncpus=${number}\n` +
        `MemTotal:${number}\nMemAvailable:1\ndisk=${number} 1\n`,
    )
    expect(metrics).toMatchObject({ uptime: null, load: null, cpus: null, memory: null, disk: null })
  })
})

describe("whatever a host prints", () => {
  const line = fc.tuple(
    fc.constantFrom("kernel=", "os=", "uptime=", "load=", "cpus=", "MemTotal:", "MemAvailable:", "disk=", ""),
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.double().map(String),
      fc.bigInt().map(String),
      fc.array(fc.integer()).map((numbers) => numbers.join(" ")),
      fc.constantFrom("\u001b[31mred", "\u009b2J", "\r", "\u2028", "__proto__"),
    ),
  )
  const output = fc.array(line).map((lines) => `context-probe=1\n${lines.map((parts) => parts.join("")).join("\n")}`)

  it("is read without an error, and gives plain text and sane numbers or nothing", () => {
    fc.assert(
      fc.property(fc.oneof(output, fc.string({ unit: "binary" })), (text) => {
        const metrics = parseProbe(text)
        if (metrics === null) return
        const { cpus, disk, kernel, load, memory, os, uptime } = metrics
        for (const word of [os, kernel]) expect(word ?? "x").toMatch(/^[\x20-\x7e]{1,100}$/)
        const numbers = [uptime, cpus, ...(load ?? []), ...[memory, disk].flatMap((size) => Object.values(size ?? {}))]
        for (const number of numbers.filter((one) => one !== null)) {
          expect(number).toBeGreaterThanOrEqual(0)
          expect(number).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER)
        }
        expect(JSON.parse(JSON.stringify(metrics))).toEqual(metrics)
        const { ram } = resourcesOf(metrics)
        expect(ram ?? "1GB").toMatch(/^\d+GB$/)
      }),
      { numRuns: 5_000 },
    )
  })
})

const shells = { dash: "dash", bash: "bash", busybox: "busybox", mksh: "mksh" }

for (const [shell, debianPackage] of Object.entries(shells).filter(([name]) => name === "dash" || findTool(name))) {
  requireTool(shell, debianPackage)(`the probe in ${shell}`, () => {
    const run = (env: Readonly<Record<string, string>>) => {
      const applet = shell === "busybox" ? ["sh"] : []
      return spawnSync(findTool(shell) as string, [...applet, "-c", probeScript], {
        encoding: "utf8",
        env,
        stdio: ["ignore", "pipe", "pipe"],
      })
    }

    it("says what this machine says, and nothing on stderr", () => {
      const { status, stderr, stdout } = run({ PATH: process.env.PATH ?? "" })
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
      const metrics = parseProbe(stdout)
      expect(metrics).toMatchObject({ cpus: cpus().length, memory: { total: totalmem() } })
      expect(metrics?.load).toHaveLength(3)
      expect(metrics?.disk?.total).toBeGreaterThan(0)
      expect(metrics?.uptime).toBeGreaterThan(0)
      expect(metrics?.kernel).toMatch(/^Linux /)
      expect(metrics?.os).toMatch(/^[a-z]/)
    })

    it("does without the programs it calls", () => {
      const { status, stdout } = run({ PATH: "/nonexistent", ID: "evil", VERSION_ID: "evil" })
      expect(status).toBe(0)
      expect(parseProbe(stdout)).toMatchObject({ memory: { total: totalmem() }, load: expect.anything() })
      expect(stdout).not.toContain("evil")
    })
  })
}
