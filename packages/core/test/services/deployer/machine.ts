/** A machine of its own, as a process that can be killed: deploys a service, prints what it prints, then says how it ended. */
import * as Effect from "effect/Effect"
import { onMachine } from "./setting.js"

const { measure, setup, sshd } = JSON.parse(process.argv[2] as string)

let bytes = 0
let weighed = 0
let before: number | undefined
let most = 0

/** Instead of printing it: how much there was, and how much memory is held beyond what was held at the first of it. */
const weigh = (data: Uint8Array) => {
  bytes += data.length
  if (before !== undefined && bytes - weighed < 20_000_000) return
  weighed = bytes
  // What only waits to be collected is not held.
  globalThis.gc?.()
  globalThis.gc?.()
  const { external, heapUsed } = process.memoryUsage()
  before ??= heapUsed + external
  most = Math.max(most, heapUsed + external)
}

const row = await onMachine(sshd, setup, (deployer) =>
  deployer.deploy(setup.name ?? "api", {
    onOutput: ({ data }) => Effect.sync(() => (measure ? weigh(data) : void process.stdout.write(data))),
  }),
)
const { maxRSS } = process.resourceUsage()
process.stderr.write(`${JSON.stringify(measure ? { bytes, held: most - (before ?? 0), maxRSS, row } : row)}\n`)
