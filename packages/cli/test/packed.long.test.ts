/** What npm would publish is whole, says nothing of the machine it was built on, and works where it is installed. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { builtinModules } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { checkout, copiesOf, npm, type Packed, pack, published, registryAnswers } from "./support/packed.js"

const directory = realpathSync(mkdtempSync(join(tmpdir(), "context-packed-")))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
let packages: ReadonlyArray<Packed>
beforeAll(async () => {
  packages = await pack(directory)
})

/** All that is wrong with any of the packages, by `check`. */
const wrong = (check: (one: Packed) => Iterable<string>): ReadonlyArray<string> =>
  packages.flatMap((one) => [...check(one)].map((what) => `${one.name}: ${what}`))

describe("what is packed", () => {
  it("has the licence, a README, and the program itself", () => {
    expect(packages.map((one) => one.name)).toEqual(published.map((name) => `@context-engine/${name}`))
    const licence = readFileSync(join(checkout, "LICENSE"), "utf8")
    for (const { files, name } of packages) {
      expect(readFileSync(files.get("LICENSE") ?? "/dev/null", "utf8"), name).toBe(licence)
      expect(readFileSync(files.get("README.md") ?? "/dev/null", "utf8"), name).toContain(name)
      expect([...files.keys()].filter((file) => /(^|\/)test\/|\.cache$|tsconfig|tsbuildinfo/.test(file))).toEqual([])
    }
  })

  it("names no path of the machine that built it, in any file", () => {
    const places = [checkout, directory, realpathSync(checkout)]
    expect(
      wrong(({ files }) => {
        const texts = [...files].map(([name, path]) => [name, readFileSync(path, "latin1")] as const)
        return texts.filter(([, text]) => places.some((place) => text.includes(place))).map(([name]) => name)
      }),
    ).toEqual([])
  })

  it("exports only what it has, with types, under no condition that others use too", () => {
    expect(
      wrong(function* ({ files, manifest }) {
        const entries = [...Object.values<any>(manifest.exports), ...Object.values<any>(manifest.bin ?? {})]
        const targets = entries.flatMap((entry) => (typeof entry === "string" ? [entry] : shipped(entry)))
        for (const target of targets) if (!hasTarget(files, target)) yield `${target} is not there`
        for (const entry of entries.filter((one) => typeof one === "object")) {
          if (entry.types === undefined) yield `${JSON.stringify(entry)} has no types`
          const conditions = Object.keys(entry).filter((one) => !["types", "default", own].includes(one))
          if (conditions.length > 0) yield `exports under ${conditions.join(", ")}`
        }
      }),
    ).toEqual([])
  })

  it("imports only what it declares, in its exact version", () => {
    expect(
      wrong(function* ({ files, manifest }) {
        const declared = { ...manifest.dependencies, ...manifest.peerDependencies }
        for (const [name, version] of Object.entries<string>(declared)) {
          if (!/^\d+\.\d+\.\d+$/.test(version)) yield `${name} ${version} is not exact`
        }
        for (const [file, path] of files) {
          if (!/^dist\/.*\.(js|d\.ts)$/.test(file)) continue
          for (const name of importsOf(readFileSync(path, "utf8"))) {
            if (name !== manifest.name && !(name in declared)) yield `${file} imports ${name}`
          }
        }
      }),
    ).toEqual([])
  })
})

/** Our own condition names the sources, which stay in the repository: nobody else resolves by it. */
const own = "@context-engine/source"
const shipped = ({ [own]: _, ...entry }: Record<string, string>): ReadonlyArray<string> => Object.values(entry)

/** A `*` stands for any path: then at least one file must fit. */
const hasTarget = (files: Packed["files"], target: string): boolean => {
  const [before = "", after] = target.replace(/^\.\//, "").split("*")
  if (after === undefined) return files.has(before)
  return [...files.keys()].some((file) => file.startsWith(before) && file.endsWith(after))
}

/** The packages that a module imports, without Node's own. */
const importsOf = (text: string): ReadonlyArray<string> =>
  [
    ...text.matchAll(
      /^(?:(?:import|export)\b.*|\}) from "([^".][^"]*)"|^import "([^".][^"]*)"|\bimport\("([^".][^"]*)"\)/gm,
    ),
  ]
    .map((match) => (match[1] ?? match[2] ?? match[3]) as string)
    .filter((name) => !name.startsWith("node:") && !builtinModules.includes(name))
    .map((name) => name.split("/", name.startsWith("@") ? 2 : 1).join("/"))

// With CI=true a registry that does not answer is a failure.
const reachable = process.env.CI === "true" || (await registryAnswers(directory))

describe.skipIf(!reachable)("installed in an empty project by plain npm", () => {
  const project = join(directory, "project")
  const node = (args: ReadonlyArray<string>) =>
    execFileSync(process.execPath, [...args], {
      cwd: project,
      encoding: "utf8",
      env: { ...process.env, HOME: project },
    })
  beforeAll(async () => {
    mkdirSync(project)
    await npm(project, "init", "--yes")
    await npm(project, "install", "--no-audit", "--no-fund", "--prefer-offline", ...packages.map((one) => one.tarball))
  })

  it("brings one libSQL", () => {
    const modules = join(project, "node_modules")
    for (const name of ["libsql", "@libsql/client", "effect"]) {
      expect(copiesOf(modules, name)).toEqual([join(modules, name)])
    }
  })

  it("runs the library's example of the README as it stands there, typed", () => {
    const readme = readFileSync(join(checkout, "README.md"), "utf8")
    const [, snippet = ""] = /## As a library\n[\s\S]*?```ts\n([\s\S]*?)```/.exec(readme) ?? []
    expect(snippet).toContain("@context-engine/store")
    for (const name of ["library.mjs", "library.mts"]) writeFileSync(join(project, name), snippet)
    expect(node(["library.mjs"])).toBe("[]\n")
    const options = "--noEmit --strict --target es2022 --module nodenext --skipLibCheck --types".split(" ")
    const tsc = join(checkout, "node_modules", "typescript", "bin", "tsc")
    node([tsc, ...options, "", "--lib", "es2023,dom", "library.mts"])
  })

  it("runs the command", async () => {
    const context = (...words: ReadonlyArray<string>) =>
      npm(project, "exec", "--offline", "--", "context", "infra", ...words, "--db", "infra.db")
    await context("server", "add", "alpha")
    expect((await context("status")).stdout).toContain("alpha")
    expect(node([join("node_modules", "@context-engine", "cli", "bin", "context.cjs"), "--version"])).toMatch(/\d/)
  })

  it("gives the typed client, and the server it talks to", () => {
    writeFileSync(
      join(project, "http.mjs"),
      `import { serve } from "@context-engine/http/serve"\nimport * as http from "@context-engine/http"\nconsole.log(typeof serve, Object.keys(http).length > 0)`,
    )
    expect(node(["http.mjs"])).toBe("function true\n")
  })
})
