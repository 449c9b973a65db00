import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { expect, it } from "vitest"
import { checkVersion, deployScript } from "../../../src/services/deployer/version.js"

const evil = [
  "$(touch pwned)",
  "`touch pwned`",
  "; touch pwned;",
  "\ntouch pwned\n",
  "' touch pwned '",
  '"; touch pwned; "',
  "&& touch pwned",
  "| touch pwned",
  "\\",
  "$IFS",
  "{{version}}",
  "$&",
  "$'",
  "-rf",
  "--exec=touch",
  "*",
  "~",
  "!!",
  "\r",
  "#",
]

const hostile = fc
  .array(fc.oneof(fc.constantFrom(...evil), fc.string({ unit: "grapheme", maxLength: 8 })), { maxLength: 5 })
  .map((parts) => parts.join("").replaceAll("\0", ""))

it("10,000 hostile versions: refused, and even if they were not, none is executed", () => {
  const directory = mkdtempSync(join(tmpdir(), "context-hostile-"))
  const versions = fc.sample(hostile, 10_000)
  let refused = 0
  for (let n = 0; n < versions.length; n += 500) {
    const some = versions.slice(n, n + 500)
    const script = some.map((version) => deployScript("printf '%s\\0' {{version}}", version)).join("\n")
    const said = execFileSync("/bin/sh", ["-s"], { cwd: directory, input: script }).toString("utf8")
    expect(said.split("\0").slice(0, -1)).toEqual(some)
    for (const version of some) {
      const accepted = checkVersion(version)._tag === "Right"
      if (accepted) expect(version).toMatch(/^[A-Za-z0-9][\w./+-]*$/)
      else refused++
    }
  }
  expect(readdirSync(directory)).toEqual([])
  expect(refused).toBeGreaterThan(9_000)
  rmSync(directory, { recursive: true })
})
