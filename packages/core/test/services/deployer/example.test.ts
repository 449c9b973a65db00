import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { makeRepository } from "../../support/repository.js"
import { describeSshd, startSshd } from "../../support/sshd.js"
import { onMachine, tracks } from "./setting.js"

/** As the documentation has it, to the letter. */
const command = "cd /opt/apps/api && git pull && bun run build && pm2 restart api"
const where = "/opt/apps/api"

/** Only where the example's directory can be made, and is nobody's. */
const describeExample: typeof describeSshd =
  process.getuid?.() === 0 && !existsSync(where) ? describeSshd : (describe.skip as never)

describeExample("the example of the documentation, unchanged, with a real git remote", () => {
  it("is deployed, deployed at a version, rolled back, and deployed again", async () => {
    const traces = tracks()
    const bin = traces.path("bin")
    mkdirSync(bin)
    // What builds and what restarts: they say what they were called with, and where.
    for (const program of ["bun", "pm2"]) {
      writeFileSync(join(bin, program), `#!/bin/sh\necho "${program} $*: $(cat VERSION) in $PWD"\n`)
      chmodSync(join(bin, program), 0o755)
    }
    const sshd = await startSshd({ env: { PATH: `${bin}:${process.env.PATH}` } })
    const repository = makeRepository(where)
    try {
      const v1 = repository.commit({ VERSION: "1\n" })
      repository.clone()
      const v2 = repository.commit({ VERSION: "2\n" })
      await onMachine(sshd, { deployCommand: command, projectPath: where }, (deployer) =>
        Effect.gen(function* () {
          const built = (n: number) => `bun run build: ${n} in ${where}\npm2 restart api: ${n} in ${where}\n`
          const newest = yield* deployer.deploy("api")
          expect(newest).toMatchObject({ status: "success", version: v2, previousVersion: v1 })
          expect(newest.logs).toContain(built(2))

          const old = yield* deployer.deploy("api", { version: v1 })
          expect(old).toMatchObject({ status: "success", version: v1, logs: built(1) })
          expect(repository.branch()).toBe("")

          const back = yield* deployer.rollback("api")
          expect(back).toMatchObject({ status: "success", version: v2, deployMethod: "rollback", logs: built(2) })

          const v3 = repository.commit({ VERSION: "3\n" })
          const again = yield* deployer.deploy("api")
          expect(again).toMatchObject({ status: "success", version: v3 })
          expect(again.logs).toContain(built(3))
          expect(repository.branch()).toBe("main")
        }),
      )
    } finally {
      await sshd.dispose()
      for (const path of [where, repository.directory, traces.directory]) rmSync(path, { recursive: true, force: true })
      if (existsSync("/opt/apps") && readdirSync("/opt/apps").length === 0) rmSync("/opt/apps", { recursive: true })
    }
  })
})
