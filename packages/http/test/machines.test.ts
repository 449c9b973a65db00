/** Who may write, over HTTP: a server whose machine is the root of its log. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { testServer } from "./support.js"

const directory = mkdtempSync(join(tmpdir(), "context-http-key-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const signed = testServer({ keyPath: join(directory, "machine.key") })
const unsigned = testServer()

describe("/v1/machines", () => {
  it("has nobody before anything is written, and then its own key for the root", async () => {
    expect((await signed.call("GET /v1/machines")).body).toEqual({
      machines: [],
      invites: [],
      pendingRoots: [],
      otherRoots: [],
    })
    expect(await signed.call("POST /v1/machines", { name: "ci" })).toMatchObject({ status: 400 })
    await signed.call("POST /v1/servers", { name: "here", local: true })
    const { body } = await signed.call("GET /v1/machines")
    expect(body.machines).toMatchObject([{ role: "admin", status: "enrolled", root: true, here: true }])
    expect((await signed.call("GET /v1/sync")).body.enrolment).toBe("enrolled")
  })

  it("enrols a job, renames it and revokes it, by any name that fits it alone", async () => {
    const { body, status } = await signed.call("POST /v1/machines", { name: "ci" })
    expect(status).toBe(201)
    expect(body.key).toMatch(/^context-key-/)
    expect(body.machine).toMatchObject({ name: "ci", role: "member", status: "enrolled", here: false })
    const renamed = await signed.call(`POST /v1/machines/${body.machine.fingerprint}/rename`, { to: "jobs" })
    expect(renamed.body).toMatchObject({ machineId: body.machine.machineId, name: "jobs" })
    expect((await signed.call("POST /v1/machines/jobs/revoke")).body.status).toBe("revoked")
    const again = await signed.call(`POST /v1/machines/${body.machine.machineId.slice(0, 8)}/approve`, {
      role: "admin",
    })
    expect(again.body).toMatchObject({ status: "enrolled", role: "admin" })
    expect((await signed.call("POST /v1/machines/nobody/revoke")).status).toBe(404)
    expect(JSON.stringify((await signed.call("GET /v1/machines")).body)).not.toContain(body.key)
  })

  it("makes an invite and ends it", async () => {
    const before = Date.now()
    const { body, status } = await signed.call("POST /v1/machines/invites")
    expect(status).toBe(201)
    expect(body).toMatchObject({ role: "member", uses: 1, code: expect.stringMatching(/^[\w-]{56}$/) })
    expect(Date.parse(body.expiresAt) - before).toBeGreaterThan(890_000)
    const { invites } = (await signed.call("GET /v1/machines")).body
    expect(invites).toMatchObject([{ role: "member", uses: 1, left: 1, closed: false }])
    expect((await signed.call(`DELETE /v1/machines/invites/${invites[0].inviteId}`)).status).toBe(204)
    expect((await signed.call("GET /v1/machines")).body.invites).toEqual([])
    expect((await signed.call("POST /v1/machines/invites", { uses: 0 })).status).toBe(400)
  })

  it("acknowledges what there is, which is nothing", async () => {
    expect((await signed.call("POST /v1/machines/acknowledge")).body).toEqual({ acknowledged: 0 })
  })

  it("refuses where nothing is signed, with the reason", async () => {
    const { body, status } = await unsigned.call("POST /v1/machines", { name: "ci" })
    expect([status, body._tag]).toEqual([400, "InvalidInput"])
    expect(body.message).toContain("CONTEXT_KEY=off")
  })
})
