import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import * as Any from "../../src/Remote/Any.js"
import { Remote, type Target } from "../../src/Remote.js"
import { describeSshd, startSshd } from "../support/sshd.js"

const here: Target = { _tag: "Local", name: "here" }

describeSshd("Any", () => {
  it("runs on this machine and over SSH", async () => {
    const sshd = await startSshd()
    const script = 'test -z "$SSH_CONNECTION" || echo by SSH'
    const outputs = await Effect.flatMap(Remote, (remote) =>
      Effect.forEach([here, sshd.target(), sshd.target(), here], (target) => remote.run(target, { script }), {
        concurrency: "unbounded",
      }),
    ).pipe(Effect.provide(Any.layer), Effect.runPromise)
    expect(outputs.map(({ stdout }) => stdout)).toEqual(["", "by SSH\n", "by SSH\n", ""])
    expect(sshd.connections()).toBe(1)
    await sshd.logged(/Disconnected from|Connection closed by/)
    await sshd.dispose()
  })
})

describe("Any", () => {
  it("loads ssh2 only when it is needed", () => {
    const any = fileURLToPath(new URL("../../src/Remote/Any.ts", import.meta.url))
    const source = execFileSync(process.execPath, [
      "--input-type=module",
      "-e",
      `import { build } from "esbuild"
       const { metafile } = await build({ entryPoints: [${JSON.stringify(any)}], bundle: true, write: false, metafile: true,
         outdir: "out", splitting: true, format: "esm", platform: "node", packages: "external" })
       const entry = Object.values(metafile.outputs).find((output) => output.entryPoint?.endsWith("Any.ts"))
       const files = Object.fromEntries(Object.entries(metafile.outputs).map(([name, output]) => [name, output.imports]))
       const eager = (imports) => imports.flatMap((one) => one.kind === "import-statement" ? [one.path, ...eager(files[one.path] ?? [])] : [])
       console.log(JSON.stringify(eager(entry.imports)))`,
    ])
    const loaded: ReadonlyArray<string> = JSON.parse(source.toString())
    expect(loaded).toContain("node:child_process")
    expect(loaded).not.toContain("ssh2")
  })
})
