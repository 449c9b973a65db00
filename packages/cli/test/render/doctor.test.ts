import { describe, expect, it } from "vitest"
import { diagnosis } from "../../src/render/doctor.js"
import { width } from "../../src/render/text.js"

const found = {
  ok: false,
  findings: [
    { check: "node", level: "ok", found: "Node 20.20.0 (linux x64)" },
    {
      check: "permissions",
      level: "warning",
      found: "/home/ada/.claude/infra.db can be read by others (0644)",
      fix: "chmod 600 /home/ada/.claude/infra.db",
    },
    {
      check: "token",
      level: "trouble",
      found: "expired \u001b[31mat 2026-11-01 12:00 UTC, and this goes on for very long indeed",
    },
  ],
} as const

describe("what the doctor found", () => {
  it("is a line a finding, with the way out below", () => {
    expect(diagnosis(found, { columns: 80, colour: false, now: 0 })).toBe(
      [
        "✓ node         Node 20.20.0 (linux x64)",
        "! permissions  /home/ada/.claude/infra.db can be read by others (0644)",
        "               → chmod 600 /home/ada/.claude/infra.db",
        "✗ token        expired at 2026-11-01 12:00 UTC, and this goes on for very long",
        "               indeed",
        "",
        "3 findings, 1 trouble, 1 warning",
      ].join("\n"),
    )
  })

  it("gives long advice in full once, and none that the finding gives itself", () => {
    const fix = "context infra sync heal on the other machines first: one that knows more of it may mend it"
    const findings = [
      { check: "sync", level: "trouble", found: "it is damaged", fix },
      { check: "log", level: "trouble", found: "and so is this", fix },
      { check: "key", level: "trouble", found: `this says it: ${fix}`, fix },
    ] as const
    const text = diagnosis({ ok: false, findings }, { columns: 200, colour: false, now: 0 })
    expect(text.split(fix).length - 1).toBe(2)
    expect(text).toContain("→ the same as above leads on")
  })

  it("goes below its name on a narrow screen, and fits every one", () => {
    const narrow = diagnosis(found, { columns: 40, colour: false, now: 0 })
    expect(narrow).toContain("! permissions\n    /home/ada")
    for (const columns of [40, 59, 60, 80]) {
      for (const line of diagnosis(found, { columns, colour: false, now: 0 }).split("\n"))
        expect(width(line), line).toBeLessThanOrEqual(columns)
    }
  })
})
