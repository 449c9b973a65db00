/** `npm run bench:deploy`: what a detached deploy costs beyond `ssh host true`, near and far away. Both connect anew. */
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import { onMachine } from "../packages/core/test/services/deployer/setting.js"
import { startProxy } from "../packages/core/test/support/proxy.js"
import { type Sshd, startSshd } from "../packages/core/test/support/sshd.js"
import { toolPath } from "../packages/core/test/support/tools.js"
import { machine, markdown, median, type Row } from "./log/stats.js"

const ssh = async (sshd: Sshd, port: number, knownHosts: string): Promise<number> => {
  const options = ["-F", "none", "-o", `UserKnownHostsFile=${knownHosts}`, "-o", "IdentitiesOnly=yes"]
  const started = performance.now()
  await promisify(execFile)(toolPath("ssh"), [
    ...options,
    ...["-i", sshd.keyPath, "-p", String(port), `${sshd.user}@${sshd.host}`, "true"],
  ])
  return performance.now() - started
}

const deploy = (sshd: Sshd, port: number): Promise<number> =>
  onMachine(sshd, { deployCommand: "true", through: port }, (deployer) =>
    Effect.gen(function* () {
      const started = performance.now()
      yield* deployer.deploy("api")
      return performance.now() - started
    }),
  )

const measure = async (sshd: Sshd, delay: number, rounds: number): Promise<Row> => {
  const proxy = await startProxy(sshd.port, delay)
  const knownHosts = join(sshd.home, `known-${delay}`)
  const { algorithm, key } = sshd.hostKey
  writeFileSync(knownHosts, `[${sshd.host}]:${proxy.port} ${algorithm} ${key}\n`)
  const theirs: Array<number> = []
  const ours: Array<number> = []
  // The first of each loads its program.
  await deploy(sshd, proxy.port)
  await ssh(sshd, proxy.port, knownHosts)
  for (let round = 0; round < rounds; round++) {
    theirs.push(await ssh(sshd, proxy.port, knownHosts))
    ours.push(await deploy(sshd, proxy.port))
  }
  await proxy.close()
  const ratio = median(ours) / median(theirs)
  return {
    what: `a detached deploy of \`true\`, ${delay} ms each way`,
    figure: `${median(ours).toFixed(0)} ms (${ratio.toFixed(2)} ×)`,
    baseline: `ssh host true ${median(theirs).toFixed(0)} ms`,
    reach: "≤ 1.5 ×",
    ok: ratio <= 1.5,
  }
}

const sshd = await startSshd()
const rows = [await measure(sshd, 0, 20), await measure(sshd, 300, 3)]
console.log(`${machine()}, ${new Date().toISOString().slice(0, 10)}\n`)
console.log(markdown(rows))
await sshd.dispose()
process.exit(process.argv.includes("--check") && rows.some((row) => !row.ok) ? 1 : 0)
