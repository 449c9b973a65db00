/** What reaches the terminal: nothing that acts on it where nobody asked for colours, and never from names or notes. */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { beforeAll, describe, expect, it } from "vitest"
import { bundle } from "./support/bundle.js"
import { workspace } from "./support/cli.js"

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what it looks for
const colour = /\u001b\[3[23]m(online|degraded)\u001b\[0m/

describe("output", () => {
  const ws = workspace()
  beforeAll(async () => {
    await ws.succeed("server add here --local --role staging")
    await ws.run("server status")
    await ws.succeed([
      "event",
      "add",
      "mind the \u202egap",
      "--severity",
      "warning",
      "--description",
      "two\nlines\tand a tab",
    ])
  })

  it.each(["server list", "server show here", "status", "events", "server status", "service list"])(
    "%s has no escapes when piped",
    async (line) => {
      const { stdout } = await ws.run(line)
      expect(stdout).not.toBe("")
      expect(stdout).not.toMatch(controls)
    },
  )

  it("hostile text is shown as text", async () => {
    const [line] = (await ws.succeed("events --limit 1")).split("\n").slice(1)
    expect(line).toMatch(/mind the gap: two lines and a tab$| by|mind the gap: two lines {2}and a tab/)
    expect(await ws.succeed("events --json")).not.toContain("\u202e")
    const ended = await ws.run(["server", "show", "x\u001b[2J\u0007"])
    expect(ended.stderr).not.toMatch(controls)
  })

  it("control characters are refused where they would be kept", async () => {
    const ended = await ws.run(["server", "update", "here", "--notes", "\u001b[31mred"])
    expect(ended.code).toBe(2)
    expect(ended.stderr).toMatch(/--notes has control characters/)
  })

  /** Runs a line on a terminal of `script` (util-linux). */
  const onTerminal = async (line: string, env: Readonly<Record<string, string>> = {}) =>
    spawnSync("script", ["-qec", `stty cols 80; ${process.execPath} ${await bundle()} infra ${line}`, "/dev/null"], {
      env: { ...process.env, CONTEXT_DB: ws.db, TERM: "xterm-256color", ...env },
      encoding: "utf8",
      input: "",
    }).stdout

  it.runIf(existsSync("/usr/bin/script"))("is coloured on a terminal, unless NO_COLOR is set", async () => {
    expect(await onTerminal("server list", { NO_COLOR: "" })).toMatch(colour)
    expect(await onTerminal("server list", { NO_COLOR: "1" })).not.toContain("\u001b")
  })
})
