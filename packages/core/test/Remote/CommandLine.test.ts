import { spawnSync } from "node:child_process"
import { describe, expect, it } from "vitest"
import { loginLine } from "../../src/Remote/CommandLine.js"
import { findTool } from "../support/tools.js"

const awkward = [
  "it's",
  'say "x"',
  "$HOME `id` $(id)",
  "a\\b\\\\c\\'",
  "two\nlines",
  "hey!",
  "!!",
  "%s\\n",
  "-n",
  "",
  "ž\t*?",
]

const command = {
  script: `for arg in "$@"; do printf '<%s>' "$arg"; done\nprintf '%s' "$VALUE"\n# it's "done"!`,
  args: awkward,
  env: { VALUE: awkward.join("|") },
  cwd: "/",
}

describe("loginLine", () => {
  it("is one line", () => {
    expect(loginLine(command, "token")).not.toMatch(/[\n\r]/)
  })

  // sh is everywhere; of the others, those that this machine has.
  const shells = ["dash", "bash", "busybox", "zsh", "ksh", "mksh", "fish", "tcsh", "csh"]
  for (const shell of ["sh", ...shells.filter((name) => findTool(name) !== undefined)]) {
    it(`is read alike by ${shell}`, () => {
      const applet = shell === "busybox" ? ["sh"] : []
      const result = spawnSync(findTool(shell) ?? "sh", [...applet, "-c", loginLine(command, "token")], {
        encoding: "utf8",
      })
      expect(result.stderr).toBe("")
      const [announcement = "", ...rest] = result.stdout.split("\n")
      expect(announcement).toMatch(/^token \d+$/)
      expect(rest.join("\n")).toBe(`${awkward.map((arg) => `<${arg}>`).join("")}${awkward.join("|")}`)
    })
  }
})
