/** A scan of a host that has much to tell. */
import * as Effect from "effect/Effect"
import { Scanner } from "../../packages/core/src/services/Scanner.js"
import { fill, makeFakeHost } from "../../packages/core/test/services/scanner/fakeHost.js"
import { startSshd } from "../../packages/core/test/support/sshd.js"
import { addTrusted, inSshWorld } from "../../packages/core/test/support/world.js"
import { median, type Row } from "../log/stats.js"

export const scanning = async (rounds: number): Promise<ReadonlyArray<Row>> => {
  const host = makeFakeHost()
  fill(host, "a-value-of-an-environment")
  const sshd = await startSshd({ env: host.env })
  const times: Array<number> = []
  const connections: Array<number> = []
  const roundTrips: Array<number> = []
  try {
    for (let round = 0; round < rounds; round++) {
      sshd.clearLog()
      // A world of its own each time: each connects anew.
      const report = await inSshWorld(
        Effect.zipRight(
          addTrusted("box", sshd),
          Effect.flatMap(Scanner, (scanner) => scanner.scan("box")),
        ),
      )
      if (report.findings.length < 300) throw new Error(`the scan found only ${report.findings.length} things`)
      times.push(report.took)
      connections.push(sshd.connections())
      roundTrips.push(sshd.log().match(/: ctype session/g)?.length ?? 0)
    }
  } finally {
    await sshd.dispose()
    host.dispose()
  }
  const [connected, asked] = [Math.max(...connections), Math.max(...roundTrips)]
  const took = median(times)
  return [
    {
      what: "`scan` of 200 units, 50 containers, 30 pm2 processes, 100 sites",
      figure: `${took.toFixed(0)} ms, ${connected} connection, ${asked} round trip`,
      baseline: "",
      reach: "< 2 s, 1 connection, ≤ 3 round trips",
      ok: took < 2_000 && connected === 1 && asked <= 3,
    },
  ]
}
