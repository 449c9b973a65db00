/** `server status` of fifty servers beside `xargs ssh` with the same command, and beside ansible. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { quote } from "../../packages/core/src/Shell.js"
import { probeScript } from "../../packages/core/src/services/probe.js"
import { findTool, toolPath } from "../../packages/core/test/support/tools.js"
import { median, type Row } from "../log/stats.js"
import { type Farm, startFarm } from "./farm.js"
import { context, timed } from "./programs.js"

const count = 50

const status = async ({ env, names }: Farm): Promise<number> => {
  // 1: this machine counts as degraded by the load of its fifty servers.
  const { stdout, took } = await timed(context("infra", "server", "status", "--json"), env, "", [0, 1])
  const reports: ReadonlyArray<{ readonly server: string; readonly metrics: unknown }> = JSON.parse(stdout)
  const answered = reports.filter(({ metrics }) => metrics !== null).length
  if (answered !== names.length) throw new Error(`only ${answered} of ${names.length} servers answered`)
  return took
}

const xargs = async ({ env, names, sshConfig }: Farm): Promise<number> => {
  const words = ["xargs", "-P20", "-I{}", toolPath("ssh"), "-F", sshConfig, "{}", `/bin/sh -c ${quote(probeScript)}`]
  const { stdout, took } = await timed(words, env, names.map((name) => `${name}\n`).join(""))
  const answered = stdout.match(/context-probe=1/g)?.length
  if (answered !== names.length) throw new Error(`only ${answered} of ${names.length} servers answered xargs`)
  return took
}

const ansible = async ({ directory, env, names, sshConfig }: Farm): Promise<number> => {
  const inventory = join(directory, "inventory")
  writeFileSync(inventory, names.map((name) => `${name}\n`).join(""))
  const { stdout, took } = await timed(["ansible", "all", "-i", inventory, "-f", "20", "-m", "setup"], {
    ...env,
    ANSIBLE_SSH_ARGS: `-F ${sshConfig}`,
    ANSIBLE_NOCOLOR: "1",
    ANSIBLE_LOCALHOST_WARNING: "False",
    ANSIBLE_PYTHON_INTERPRETER: findTool("python3"),
  })
  const answered = stdout.match(/ \| SUCCESS =>/g)?.length
  if (answered !== names.length) throw new Error(`only ${answered} of ${names.length} servers answered ansible`)
  return took
}

const row = (ours: number, theirs: number, baseline: string, reach: number): Row => ({
  what: `\`server status\` of ${count} servers`,
  figure: `${ours.toFixed(0)} ms (${(ours / theirs).toFixed(2)} ×)`,
  baseline: `${baseline} ${theirs.toFixed(0)} ms`,
  reach: `≤ ${reach} ×`,
  ok: ours / theirs <= reach,
})

/** They take turns. Ansible, which takes longest, has fewer of them. */
export const fifty = async (rounds: number): Promise<ReadonlyArray<Row>> => {
  const farm = await startFarm(count)
  const times = { ours: [] as Array<number>, xargs: [] as Array<number>, ansible: [] as Array<number> }
  const hasAnsible = findTool("ansible") !== undefined
  if (!hasAnsible) console.error("!! ansible is not installed (Debian package ansible-core): its comparison is SKIPPED")
  try {
    await status(farm)
    await xargs(farm)
    for (let round = 0; round < rounds; round++) {
      times.ours.push(await status(farm))
      times.xargs.push(await xargs(farm))
      if (hasAnsible && round % 3 === 0) times.ansible.push(await ansible(farm))
    }
  } finally {
    await farm.dispose()
  }
  const ours = median(times.ours)
  return [
    row(ours, median(times.xargs), "`xargs -P20 ssh`, the same command", 0.6),
    ...(hasAnsible ? [row(ours, median(times.ansible), "`ansible -f 20 -m setup`", 0.5)] : []),
  ]
}
