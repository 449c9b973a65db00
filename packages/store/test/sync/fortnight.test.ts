import { expect, it } from "vitest"
import { seedOf } from "../support/random.js"
import { fortnight } from "./fortnight.js"

it("two machines work alone for a fortnight, 200 commands each, and come together with nothing lost", async () => {
  const { given, lastWriterWins, machines, open, rejections, reports } = await fortnight(seedOf("fortnight"))
  const [{ log, rows }] = machines as [(typeof machines)[0]]
  for (const one of machines) {
    expect(one.log).toEqual(log)
    expect(one.rows).toBe(rows)
    expect(one.audit).toMatchObject({ ok: true, findings: [], unsigned: 0 })
  }
  const inLog = new Set(log.map((row) => row[1]))
  const told = log.filter((row) => row[4] === "CommandRejected").map((row) => JSON.parse(row[6]))
  const inRejection = new Map(told.flatMap(({ events, reason }) => events.map((one: any) => [one.id, reason])))
  const acknowledged = given.map((row) => row[1])
  expect(acknowledged.filter((id) => !inLog.has(id) && !inRejection.has(id))).toEqual([])
  expect(acknowledged.filter((id) => inLog.has(id) && inRejection.has(id))).toEqual([])
  expect(inLog.size).toBe(log.length)
  const facts = given.filter((row) => /^Deployment/.test(row[4]))
  expect(facts.filter((row) => !inLog.has(row[1]))).toEqual([])
  expect(rejections.length).toBe(told.length)
  expect(rejections.every(({ reason, what }) => reason.length > 10 && what.length > 5)).toBe(true)
  const refused = told.filter(({ outcome }) => outcome === "refused").length
  const [first, second] = reports
  expect(first.rejected).toEqual([])
  expect(second.rejected.length).toBe(told.length)
  expect(open).toBe(refused)
  expect(refused).toBeGreaterThan(0)
  // The same work on rows of which the later wins loses some of it, and tells nobody.
  expect(lastWriterWins.overwritten + lastWriterWins.displaced + lastWriterWins.resurrected).toBeGreaterThan(0)
  console.log(
    `fortnight: ${acknowledged.length} events in 400 commands, ${facts.length} of them facts; 0 lost, 0 doubled; ${refused} commands refused and ${told.length - refused} with nothing left to do, all told; put together in ${(second.duration * 1000).toFixed(0)} ms. Last writer wins, silently: ${JSON.stringify(lastWriterWins)}`,
  )
}, 240_000)
