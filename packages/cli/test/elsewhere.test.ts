/** Two machines with a key each and the same log: what is local to one is refused on the other, which has the same host name. */
import { copyFileSync, existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { workspace } from "./support/cli.js"

const machine = () => {
  const place = workspace()
  const env = { CONTEXT_KEY: join(place.directory, "machine.key") }
  return {
    ...place,
    run: (line: string) => place.run(line, { env }),
    succeed: (line: string) => place.succeed(line, { env }),
    json: (line: string) => place.json(line, { env }),
  }
}

it("a server added --local on beta runs nothing on alpha", async () => {
  const [alpha, beta] = [machine(), machine()]
  const mark = join(alpha.directory, "ran")
  await beta.succeed("server add here --local")
  await beta.succeed(`service add api --server here --deploy "echo run >> ${mark}" --restart "echo run >> ${mark}"`)
  await beta.succeed("deploy api")
  expect(readFileSync(mark, "utf8")).toBe("run\n")
  // What the log calls it now tells it apart, as its host name does not.
  const [itself] = (await beta.json("machine list")).machines
  await beta.succeed(`machine rename ${itself.name} laptop`)
  const copy = join(beta.directory, "copy.db")
  await beta.succeed(`backup ${copy}`)
  const { findings } = JSON.parse((await alpha.run(`doctor --json --db ${copy}`)).stdout)
  const found = "server here is local to laptop; it is reached from there only"
  expect(findings.filter(({ check }: { check: string }) => check === "servers")).toEqual([{ check: "servers", level: "ok", found }]) // biome-ignore format: one line
  copyFileSync(copy, alpha.db)
  // Who may not write there does nothing at all.
  await alpha.succeed("machine root --keys-lost --yes")

  const lines = ["deploy api", "service restart api", "service logs api", "server ssh here -- true", "scan here", "server run here -- true"] // biome-ignore format: a list
  for (const line of lines) {
    const { code, stderr, stdout } = await alpha.run(line)
    expect({ line, code }).toEqual({ line, code: 1 })
    expect(stderr + stdout, line).toMatch(/server here is local to laptop; it is reached from\s+there only/)
  }
  expect(readFileSync(mark, "utf8")).toBe("run\n")

  const before = alpha.events()
  // Whether it is well nobody has seen yet, so the status is not 0.
  expect(JSON.parse((await alpha.run("server status --json")).stdout)).toMatchObject([
    { server: "here", metrics: null },
  ])
  expect(alpha.events()).toBe(before)
  expect((await alpha.run("doctor")).stdout).toMatch(
    /server here is local to laptop.*context infra server update here --ip <address>/s,
  )
  expect(existsSync(mark)).toBe(true)

  await beta.succeed("service restart api")
  expect(readFileSync(mark, "utf8")).toBe("run\nrun\n")
})
