/** Machines whose clocks are a day apart, and a shared log whose clock counts. */
import { join } from "node:path"
import * as Redacted from "effect/Redacted"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { eventsOf } from "../../store/test/support/machines.js"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { clockAhead, workspace } from "./support/cli.js"

// Many programs, one after the other, on a machine that may have much else to do.
vi.setConfig({ testTimeout: 180_000 })

const day = 86_400_000

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(async () => {
  await sqld.close()
})

/** A machine whose clock is wrong by so many milliseconds: every date that its programs ask for is. */
const machine = (name: string, wrong: number) => {
  const place = workspace()
  const env = {
    CONTEXT_SYNC: "off",
    CONTEXT_KEY: join(place.directory, "machine.key"),
    CONTEXT_SYNC_FILE: join(place.directory, "sync.json"),
    NODE_OPTIONS: `--require=${clockAhead(place.directory, wrong)}`,
  }
  const succeed = (line: string, input?: string, more: Readonly<Record<string, string>> = {}) =>
    place.succeed(line, { env: { ...env, ...more }, ...(input && { input }) })
  return {
    name,
    db: place.db,
    succeed,
    run: (line: string, input?: string) => place.run(line, { env, ...(input && { input }) }),
  }
}

it("converge, with the shared log's times, and show what is wrong with theirs", async () => {
  const [ahead, behind, right] = [machine("ahead", day), machine("behind", -day), machine("right", 0)]
  const machines = [ahead, behind, right]
  const began = new Date().toISOString()
  await ahead.succeed("server add alpha")
  // Once it has met the shared log, what a machine writes is corrected: this stays as its clock had it.
  await behind.succeed("server add beta")
  await ahead.succeed(`sync connect ${sqld.url}`, Redacted.value(sqld.token()))
  // An invite of a machine whose clock is a day behind would be over by the newcomers' clocks: the shared log's counts.
  for (const [by, { succeed }] of [[ahead, behind] as const, [behind, right] as const]) {
    const { code } = JSON.parse(await by.succeed("sync invite --admin --json"))
    await by.succeed("sync now")
    await succeed(`sync connect ${sqld.url} --invite ${code} --yes`, Redacted.value(sqld.token()))
  }
  // Each without seeing the others; then one after the other, so that the later ones are put after what came first.
  for (const { name, succeed } of machines) {
    await succeed(`server add ${name}`)
    await succeed(`server update alpha --notes ${name}`)
  }
  for (const { succeed } of [...machines, ...machines]) await succeed("sync now")
  const ended = new Date().toISOString()

  const log = eventsOf(right.db)
  for (const { db } of machines) expect(eventsOf(db)).toEqual(log)
  const times = log.map((row) => row[9])
  expect(times).toEqual([...times].sort())
  // Not one of them is a machine's own: they all lie within the test.
  for (const time of times) expect(time >= began.slice(0, 19) && time <= ended, time).toBe(true)
  const said = log.map((row) => row[8])
  expect(Math.max(...said.map(Date.parse)) - Math.min(...said.map(Date.parse))).toBeGreaterThan(2 * day - 60_000)

  for (const { name, run, succeed } of machines) {
    const { skew } = JSON.parse(await succeed("sync status --json"))
    const status = await succeed("sync status")
    const alert = await run("alert")
    if (name === "right") {
      expect(Math.abs(skew)).toBeLessThan(60_000)
      expect(status).not.toContain("clock")
      expect(alert.code).toBe(0)
    } else {
      expect(Math.abs(skew + (name === "ahead" ? day : -day))).toBeLessThan(60_000)
      expect(status).toMatch(/clock +-?86\d\d\d s off/)
      expect(alert).toMatchObject({ code: 1, stdout: expect.stringContaining(`s ${name}`) })
    }
    expect(JSON.parse(await succeed("audit verify --json"))).toMatchObject({ ok: true, findings: [] })
  }

  // A moment means the same everywhere.
  const moments = [2, 5, log.length - 1].map((at) => times[at] as string)
  for (const moment of moments) {
    const answers = await Promise.all(machines.map(({ succeed }) => succeed(`server list --at ${moment} --json`)))
    expect(new Set(answers).size, moment).toBe(1)
  }
})

it("show, everywhere, what was done before the log was shared", async () => {
  const shared = await startSqld()
  try {
    const [one, two] = [machine("one", 0), machine("two", 0)]
    await one.succeed("server add alpha")
    await one.succeed("server add beta")
    const before = new Date().toISOString()
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const connect = `sync connect ${shared.url}`
    await one.succeed(connect, Redacted.value(shared.token()))
    await two.run(connect, Redacted.value(shared.token()))
    for (const { succeed } of [one, two]) {
      const listed = JSON.parse(await succeed(`server list --at ${before} --json`))
      expect(listed.map(({ name }: { readonly name: string }) => name)).toEqual(["alpha", "beta"])
      expect(JSON.parse(await succeed(`server list --known-at ${before} --json`))).toEqual([])
      const { changes, machines } = JSON.parse(await succeed(`diff ${before} now --json`))
      expect(changes).toEqual([])
      // The second machine came afterwards, and the first may not have heard of it yet.
      expect(machines.filter(({ type }: { readonly type: string }) => type !== "EnrolmentRequested")).toEqual([])
    }
  } finally {
    await shared.close()
  }
})

it("a clock that is put right is not held against what is written then", async () => {
  const shared = await startSqld()
  try {
    const one = machine("one", -day)
    const right = (line: string) => one.succeed(line, undefined, { NODE_OPTIONS: "" })
    await one.succeed("server add alpha")
    await one.succeed(`sync connect ${shared.url}`, Redacted.value(shared.token()))
    expect(await one.run("alert")).toMatchObject({ code: 1, stdout: expect.stringMatching(/is 86\d\d\d s behind/) })
    expect((await one.run("alert")).stdout).not.toContain("since in")
    expect(await right("alert")).toContain("nothing is known to be wrong")
    expect(JSON.parse(await right("sync status --json"))).toMatchObject({ skew: null })
    await right("server update alpha --notes right")
    await right("sync now")
    const written = Date.parse(eventsOf(one.db).at(-1)?.[8] as string)
    expect(Math.abs(written - Date.now())).toBeLessThan(120_000)
    expect(await right("alert")).toContain("nothing is known to be wrong")
    expect(await right("events")).not.toContain("writer said")
  } finally {
    await shared.close()
  }
})

it("of a year ahead does not date what happened now, wherever that is shown", async () => {
  const wrong = machine("wrong", 365 * day)
  await wrong.succeed("server add alpha")
  // By now its clock is right.
  const right = (line: string) => wrong.succeed(line, undefined, { NODE_OPTIONS: "" })
  const said = new Date(Date.now() + 365 * day).toISOString().slice(0, 10)
  const today = new Date().toISOString().slice(0, 10)
  const events = await right("events")
  expect(events).not.toMatch(/in 36\dd/)
  expect(events.replace(/\s+/g, " ")).toContain(`writer said ${said}`)
  for (const line of ["diff 0", "audit log alpha"]) {
    const shown = (await right(line)).replace(/\s+/g, " ")
    expect(shown, line).toContain(`, ${today}`)
    expect(shown, line).toContain(`writer said ${said}`)
  }
})
