/** Where a session ends is the same on every machine, though one put its log back onto the server and read it anew. */
import { expect, it } from "vitest"
import type { EventRow } from "../../src/record.js"
import { newSession, unitHash } from "../../src/trust/sealing.js"
import { serverAdded } from "../support/events.js"
import { fleet } from "../support/fleet.js"
import { draft, signed, slipIn } from "../support/forger.js"
import { add, heal, machines, signerOf, status, sync, verify } from "../support/machines.js"

/** What a member may write beside its proper chain, with its own key: each is judged by where its session ended before. */
const oddities = {
  "a number twice": (chain, unit) => [unit(chain(), "one"), unit(chain(1), "two"), unit(chain(), "again")],
  "a number that was left out": (chain, unit) => [unit(chain(), "one"), unit(chain(4), "five")],
  "what the rows cannot take": (chain, unit) => [unit(chain(), "one"), unit(chain(1), "one")],
} satisfies Record<
  string,
  (
    chain: (number?: number) => ReturnType<typeof newSession>,
    unit: (chain: ReturnType<typeof newSession>, name: string) => ReadonlyArray<EventRow>,
  ) => ReadonlyArray<ReadonlyArray<EventRow>>
>

it.each(Object.keys(oddities) as ReadonlyArray<keyof typeof oddities>)("%s", async (oddity) => {
  const { a, b, c, rootId, save, there } = await fleet("a", "b", "c")
  const member = signerOf(b)
  const session = newSession(member.id, rootId)
  let last = ""
  const chain = (number = 0) => ({ ...session, number, unit: last })
  const unit = (at: typeof session, name: string) => {
    const rows = signed([draft({ body: serverAdded(name).data })], member, rootId, at)
    last = unitHash(rows, rootId)
    return rows
  }
  for (const rows of oddities[oddity](chain, unit)) slipIn(there(), rows)
  for (const one of [a, c]) await sync(one)

  // The server is put back by one event, and the root puts it there again.
  const putBack = save()
  await add(a, "later")
  for (const one of [a, c]) await sync(one)
  putBack()
  await heal(a)
  await sync(c)

  // What follows is held against the same end everywhere.
  for (const number of [1, 2, 5]) slipIn(there(), unit(chain(number), `after-${number}`))
  for (const one of [a, b, c]) await sync(one)
  const found = await Promise.all([a, b, c].map(async (one) => (await status(one)).breaks))
  expect(found[1]).toEqual(found[0])
  expect(found[2]).toEqual(found[0])

  // So one word of an admin is enough for all.
  await machines(a, (service) => service.acknowledge(false))
  for (const one of [a, b, c]) await sync(one)
  for (const one of [a, b, c]) {
    expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    expect((await status(one)).breaks).toEqual([])
    await one.close()
  }
})
