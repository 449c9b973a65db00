/** Each thing that an exchange fails by has a way out that is none of the things which only say that it failed. */
import { expect, it } from "vitest"
import { type Stuck, wayOut } from "../../../src/services/sync/wayOut.js"

const stuck: Stuck = { enrolment: "enrolled", roots: [], admins: ["laptop"], name: "web 1" }

it("what a person decides is what is advised", () => {
  expect(wayOut("reset", stuck)).toBe("context infra sync heal")
  expect(wayOut("rolled-back", stuck)).toBe("context infra sync heal")
  expect(wayOut("damaged", stuck)).toContain("an empty database")
  expect(wayOut("to-merge", stuck)).toMatch(/^context infra sync join, .*sync disconnect/)
  expect(wayOut("unauthorised", stuck)).toContain("sync connect <url>, with a new token")
  expect(wayOut("no-root", stuck)).toContain("context infra machine root")
  expect(wayOut("new-root", stuck)).toContain("machine trust <fingerprint>")
  const roots = [{ name: "desk", position: 9, fingerprint: "7g2k-m0xq-91vd-c3aa" }]
  expect(wayOut("new-root", { ...stuck, roots })).toBe(
    "context infra machine trust 7g2k-m0xq-91vd-c3aa, if desk shows the same",
  )
})

it("who may not write is told how it is let in: by its name, and on which machines", () => {
  expect(wayOut("not-enrolled", { ...stuck, enrolment: "waiting" })).toBe(
    "context infra machine approve 'web 1', on an admin machine (laptop); if the keys of all of those are lost, context infra machine root --keys-lost",
  )
  expect(wayOut("not-enrolled", { ...stuck, enrolment: "not-enrolled" })).toContain("--invite <code>")
  expect(wayOut("not-enrolled", { ...stuck, enrolment: "unsigned" })).toBe("leave out CONTEXT_KEY=off")
  const revoked = { ...stuck, enrolment: "revoked" } as const
  expect(wayOut("not-enrolled", revoked)).toContain("context infra machine add <name>")
  expect(wayOut("not-enrolled", { ...revoked, keyFile: "/home/a b/k" })).toMatch(
    /^mv '\/home\/a b\/k' '\/home\/a b\/k.old'/,
  )
})

it("none leads back to where it was read", () => {
  for (const reason of ["offline", "busy", "protocol", "corrupt", "unavailable", "replaced", "defect"] as const)
    expect(wayOut(reason, stuck)).not.toContain("sync status")
})
