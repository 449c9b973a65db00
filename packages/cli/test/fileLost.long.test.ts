/** A machine of a log with two roots loses its file, and keeps its key and what it remembers: what every screen says of the way back. */
import { rmSync } from "node:fs"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { invited, itself, type Signing, signing, token } from "./support/enrolled.js"

// Each step is a program that starts, on a machine that may have much else to do.
vi.setConfig({ testTimeout: 240_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(async () => {
  await sqld.close()
})

const lose = ({ db }: Signing) => {
  for (const end of ["", "-wal", "-shm"]) rmSync(db + end, { force: true })
}

const said = async (of: Signing, line: string) => {
  const { code, stderr, stdout } = await of.run(line)
  return { code, text: `${stdout} ${stderr}`.replace(/\s+/g, " ") }
}

it("the way back is what leads back, on every screen, and the root that was accepted is the root again", async () => {
  const [laptop, phone, server, other] = ["laptop", "phone", "server", "other"].map((name) => signing(name)) as [
    Signing,
    Signing,
    Signing,
    Signing,
  ]
  await laptop.succeed("server add alpha")
  await laptop.succeed(`sync connect ${sqld.url}`, token(sqld))
  for (const [name, one] of Object.entries({ phone, server, other })) {
    await invited(one, laptop, sqld)
    await laptop.succeed("sync now")
    await laptop.succeed(`machine rename ${(await itself(one)).fingerprint} ${name}`)
  }
  await phone.succeed("machine root --keys-lost --yes")
  const { fingerprint } = await itself(phone)
  await server.succeed(`machine trust ${fingerprint} --yes`)

  // Who has not said yet which root is right is told of the one that waits, and does not make a third.
  const third = await said(other, "machine root --yes")
  expect(third).toMatchObject({ code: 1, text: expect.stringContaining("phone began another root") })
  expect(third.text).toContain(`context infra machine trust ${fingerprint}`)
  const asked = await said(other, "machine root --keys-lost")
  expect(asked).toMatchObject({ code: 1, text: expect.stringContaining(`machine trust ${fingerprint}`) })

  lose(server)
  for (const line of ["sync status", "alert", "doctor", "status"]) {
    const { text } = await said(server, line)
    expect(text, line).toContain("context infra sync now for what was shared")
    expect(text, line).not.toContain("machine root")
  }
  // Nothing is begun in its place, and what leads back does so.
  const begun = await said(server, "server add new9")
  expect(begun).toMatchObject({ code: 1, text: expect.stringContaining("context infra sync now for what was shared") })
  await server.succeed("sync now")
  expect(await server.run("alert")).toMatchObject({ code: 0 })
  await server.succeed("server add new9")
  await server.succeed("sync now")
  expect(await server.json("audit verify")).toMatchObject({ root: "phone" })
  expect(await server.json("sync status")).toMatchObject({ roots: [], enrolment: "enrolled", loss: null })
  await phone.succeed("sync now")
  expect((await phone.json("server list")).map(({ name }: { readonly name: string }) => name)).toEqual([
    "alpha",
    "new9",
  ])
})
