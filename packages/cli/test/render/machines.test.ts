/** Who may write, and what counts for nothing, as people see it. */
import type { WithheldReport } from "@context-engine/core/services/Audit"
import type { SyncStatus } from "@context-engine/core/services/Sync"
import { describe, expect, it } from "vitest"
import { verdict } from "../../src/render/audit.js"
import { invited, key, machines } from "../../src/render/machines.js"
import { connected, status, untrusted } from "../../src/render/sync.js"
import { type Screen, width } from "../../src/render/text.js"

const now = Date.parse("2026-11-27T12:00:00.000Z")
const on = (columns: number): Screen => ({ columns, colour: false, now })
const widest = (text: string) => Math.max(...text.split("\n").map(width))

const laptop = {
  machineId: "0011223344556677",
  name: "laptop",
  role: "admin",
  status: "enrolled",
  position: 1,
  by: null,
  invite: null,
  fingerprint: "7g2k-m0xq-91vd-c3aa",
  root: true,
  here: true,
} as const
const phone = {
  ...laptop,
  machineId: "8899aabbccddeeff",
  name: "phone",
  role: "member",
  status: "waiting",
  position: 9,
  fingerprint: "0123-4567-89ab-cdef",
  root: false,
  here: false,
} as const

describe("machines", () => {
  it("begin with what somebody has to do something about", () => {
    const pendingRoots = [{ name: "new", fingerprint: "aaaa-bbbb-cccc-dddd", position: 12 }]
    const text = machines({ machines: [laptop, phone], invites: [], otherRoots: [], pendingRoots }, on(80))
    expect(text).toBe(
      [
        "! new began a root of this log at position 12. Its fingerprint is",
        "  aaaa-bbbb-cccc-dddd",
        "    if it shows the same there: context infra machine trust aaaa-bbbb-cccc-dddd",
        "",
        "! phone waits to be enrolled. Its fingerprint is 0123-4567-89ab-cdef",
        "    if it shows the same there: context infra machine approve phone",
        "",
        "NAME    ROLE         STATUS    FINGERPRINT          SINCE POSITION",
        "phone   member       waiting   0123-4567-89ab-cdef               9",
        "laptop  admin, root  enrolled  7g2k-m0xq-91vd-c3aa               1  this machine",
      ].join("\n"),
    )
  })

  it("fit 40 columns, with the fingerprints whole", () => {
    const invite = {
      inviteId: "ffeeddccbbaa9988",
      role: "member",
      uses: 3,
      left: 2,
      closed: false,
      by: laptop.machineId,
    } as const
    const expiresAt = "2026-11-27T12:10:00.000Z"
    const text = machines(
      { machines: [laptop, phone], invites: [{ ...invite, expiresAt }], pendingRoots: [], otherRoots: [] },
      on(40),
    )
    expect(widest(text)).toBeLessThanOrEqual(40)
    expect(text).toContain(laptop.fingerprint)
    expect(text).toContain("2 of 3")
    expect(text).toContain("in 10m")
    expect(text.split("\n").filter((line) => line.includes("laptop"))).toHaveLength(2)
  })

  it("leave out the invites that nobody comes by any more", () => {
    const invite = { role: "member", uses: 1, left: 1, closed: false, by: laptop.machineId } as const
    const invites = [
      { ...invite, inviteId: "ffeeddccbbaa9988", expiresAt: "2026-11-27T11:59:00.000Z" },
      { ...invite, inviteId: "aabbccddeeff0011", expiresAt: "2026-11-27T12:01:00.000Z" },
    ]
    const shown = (skew: number, all = invites) =>
      machines({ machines: [laptop], invites: all, pendingRoots: [], otherRoots: [], skew }, on(80))
    expect(shown(0)).toContain("aabbccddeeff0011")
    expect(shown(0)).not.toContain("ffeeddccbbaa9988")
    // By the clock of the shared log, which they go by.
    expect(shown(-120_000)).toContain("ffeeddccbbaa9988")
    expect(shown(120_000)).not.toContain("OPEN INVITE")
  })

  it("say of the one that waits and looks at itself where it is approved", () => {
    const text = machines(
      { machines: [{ ...phone, here: true }], invites: [], pendingRoots: [], otherRoots: [] },
      on(80),
    )
    expect(text).toContain("! this machine waits to be enrolled")
    expect(text).toContain("on an admin machine: context infra machine approve phone")
  })

  it("say to a member on which machines it is decided", () => {
    const desk = { ...laptop, name: "desk", root: false, here: false }
    const own = { ...phone, name: "tablet", status: "enrolled", here: true } as const
    const text = machines(
      { machines: [{ ...laptop, here: false }, desk, own, phone], invites: [], pendingRoots: [], otherRoots: [] },
      on(200),
    )
    expect(text).toContain("on an admin machine (laptop, desk): context infra machine approve phone")
  })

  it("are nobody in a log that is not signed", () => {
    expect(machines({ machines: [], invites: [], pendingRoots: [], otherRoots: [] }, on(80))).toContain(
      "context infra machine root",
    )
  })

  it("cannot act on the terminal by a name of theirs", () => {
    const hostile = { ...phone, name: "x\u001b[2Jy" }
    for (const columns of [40, 80]) {
      expect(
        machines({ machines: [hostile], invites: [], pendingRoots: [], otherRoots: [] }, on(columns)),
      ).not.toContain("\u001b")
    }
  })
})

describe("codes and keys", () => {
  it("stand whole on a line that can be copied, on any screen", () => {
    const code = "c".repeat(56)
    const made = {
      code,
      inviteId: "3f2a90c1",
      role: "member",
      uses: 1,
      expiresAt: "2026-11-27T12:15:00.000Z",
      skew: 0,
    } as const
    const text = invited({ ...made, remote: "http://10.0.0.5:8080" }, on(40))
    expect(text).toContain(`\n  context infra sync connect http://10.0.0.5:8080 --invite ${code}`)
    expect(text).toContain("for one member, good for 15m")
    expect(invited({ ...made, expiresAt: "2026-11-27T12:00:03.000Z", remote: null }, on(80))).toContain("good for 3s")
    // By the clock of the shared log, whatever that of this machine says.
    const late = { ...made, expiresAt: "2027-11-27T12:15:00.000Z", skew: 365 * 86_400_000, remote: null }
    expect(invited(late, on(80))).toContain("good for 15m")
    expect(invited({ ...made, uses: 100, remote: null }, on(80))).toContain("100 members")
    const early = invited({ ...made, remote: null }, on(80))
    expect(early).toContain("nothing is shared from here yet")
    expect(early.indexOf("first, on this machine:\n  context infra sync connect <url>\n")).toBeGreaterThan(0)
    expect(early).toContain(`There:\n  context infra sync connect <url> --invite ${code}`)
    expect(text).not.toContain("nothing is shared")
    expect(key({ key: "context-key-abc", machine: phone }, on(40)).split("\n").at(-1)).toBe("context-key-abc")
  })
})

describe("the shared log", () => {
  const inertEvents = [
    { position: 7, reason: "it is not signed", claims: "root@vm\u001b[2J", type: "ServerUpdated" },
    { position: 8, reason: "it is not signed", claims: "root@vm", type: "ServerUpdated" },
  ]
  const well = {
    remote: "http://10.0.0.5:8080",
    logId: "l",
    confirmed: 9,
    pending: 0,
    pendingSince: null,
    behind: 0,
    lastContact: null,
    skew: null,
    lastError: null,
    rejected: 0,
    unknown: [],
    loss: null,
    inert: 0,
    inertEvents: [],
    breaks: [],
    roots: [],
    keyTrouble: null,
    enrolment: "enrolled",
    asking: [],
  } as unknown as SyncStatus

  it("names no command that cannot work before the shared log was met, or in another log than that", () => {
    const of = (found: Partial<SyncStatus>) =>
      status("synced")({ ...well, clonedAt: null, ...found }, on(200))
        .split("\n")
        .find((row) => row.startsWith("this machine"))
    const enrolment = "not-enrolled" as const
    expect(of({ enrolment })).toContain("context infra sync now asks for it")
    expect(of({ enrolment, logId: null })).toContain("context infra sync join")
    expect(of({ enrolment: "no-root", logId: null })).toMatch(/context infra sync now$/)
    for (const reason of ["foreign", "to-merge"] as const) {
      const lastError = { reason, message: "m", at: "2026-11-22T12:00:00.000Z", next: "the way out" }
      for (const stuck of [enrolment, "no-root", "waiting"] as const)
        expect(of({ enrolment: stuck, lastError })).toMatch(/the log that is here$/)
    }
  })

  it("is shown with what counts for nothing, where it is and whom it claims to be of", () => {
    const breaks = [{ position: 9, message: "unit 4 of laptop is missing" }]
    const text = status("synced")({ ...well, inert: 5_000, inertEvents, breaks }, on(80))
    expect(text).toContain("✗ 5000 events count for nothing")
    expect(text).toContain('at 7: "ServerUpdated", says it is of "root@vm\\u001b[2J": it is not signed')
    expect(text).toContain("and 4998 more")
    expect(text).toContain("✗ at 9: unit 4 of laptop is missing")
    expect(text).toContain("context infra machine acknowledge")
    expect(text).not.toContain("\u001b")
    expect(widest(untrusted({ inert: 2, inertEvents, breaks }, on(40)))).toBeLessThanOrEqual(40)
    expect(status("synced")(well, on(80))).not.toContain("nothing:")
  })

  it("breaks no word and no fingerprint on a narrow screen", () => {
    const message = `this machine waits to be enrolled; on an admin machine: context infra machine approve phone, if its fingerprint there is ${phone.fingerprint}`
    const lastError = {
      reason: "not-enrolled" as const,
      message,
      at: "",
      next: "context infra machine approve phone, on an admin machine (laptop)",
    }
    for (const columns of [40, 60, 80]) {
      const text = status("synced")({ ...well, clonedAt: null, enrolment: "waiting", lastError }, on(columns))
      expect(widest(text)).toBeLessThanOrEqual(columns)
      expect(text).toContain(phone.fingerprint)
      expect(text.replace(/\s+/g, " ")).toContain(`trouble ${message} → ${lastError.next}`)
    }
    // One painted line does not spill its colour into the next one's indent.
    const painted = status("synced")({ ...well, clonedAt: null, lastError }, { ...on(40), colour: true })
    expect(painted).toContain("trouble\n    \u001b[31m")
  })

  it("shows who waits its fingerprint, and what to type elsewhere", () => {
    const text = connected(
      { waiting: true, name: "phone", fingerprint: phone.fingerprint, confirmed: 9, rejected: 0 },
      on(80),
    )
    expect(text).toContain(`\n    ${phone.fingerprint}\n`)
    expect(text).toContain("context infra machine approve phone")
  })
})

describe("an audit", () => {
  const report = {
    ok: true,
    events: 3,
    rows: 1,
    signed: 3,
    unsigned: 0,
    withheld: [],
    root: "laptop",
    inert: 0,
    machines: [],
    unknownTypes: {},
    replayed: null,
    findings: [],
    head: { position: 3, hash: "0" },
    duration: 1,
  } as const

  it("names the root, or says that there is none", () => {
    expect(verdict(report, on(80))).toContain("root: laptop")
    const unsigned = verdict({ ...report, signed: 0, unsigned: 3, root: null }, on(80))
    expect(unsigned).toContain("an unsigned log: nothing shows who wrote it")
  })

  it("tells what waits here from what nobody signed", () => {
    const one = { machineId: "0123456789abcdef0123", name: "desk", own: true, events: 2, because: "waiting" } as const
    const told = (of: Partial<WithheldReport>) => verdict({ ...report, withheld: [{ ...one, ...of }] }, on(200))
    expect(told({})).toContain("! 2 events wait here until this machine is enrolled")
    expect(told({ events: 1, because: "revoked" })).toContain(
      "! 1 event was written after this machine was revoked, and counts nowhere else",
    )
    expect(told({ own: false })).toContain("! 2 events of desk wait here until that machine is enrolled")
    expect(told({ own: false, because: "revoked" })).toContain(
      "! 2 events of desk were written after that machine was revoked, and count nowhere else",
    )
    expect(told({ own: false, name: null })).toContain("of the machine with the key 0123456789abcdef wait here")
  })

  it("says how it becomes green again where something counts for nothing", () => {
    const findings = [{ kind: "inert", position: 2, message: "at position 2: it is not signed" }] as const
    const text = verdict({ ...report, ok: false, inert: 1, findings }, on(80))
    expect(text).toContain("3 signed, 0 unsigned, 1 that count for nothing")
    expect(text).toContain("context infra machine acknowledge")
  })
})
