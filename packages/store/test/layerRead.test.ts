import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { expect, it } from "vitest"

/** All that is evaluated before the first use of a module of the store, by the paths below `packages`. */
const evaluatedWith = async (module: string): Promise<ReadonlyArray<string>> => {
  const { metafile } = await build({
    absWorkingDir: fileURLToPath(new URL("../..", import.meta.url)),
    entryPoints: [`store/src/${module}.ts`],
    bundle: true,
    splitting: true,
    outdir: "out",
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    conditions: ["@context-engine/source"],
    external: ["effect", "libsql"],
  })
  const { outputs } = metafile
  const filesOf = (name: string): ReadonlyArray<string> => {
    const { imports = [], inputs = {} } = outputs[name] ?? {}
    const later = imports.flatMap(({ kind, path }) => (kind === "import-statement" ? filesOf(path) : []))
    // What only names types is not in the output.
    return [...Object.keys(inputs).filter((path) => (inputs[path]?.bytesInOutput ?? 0) > 0), ...later]
  }
  return filesOf(`out/${module}.js`)
}

it("reads without the shapes of events and the rule of which events count: status starts without them", async () => {
  const isKnowing = (path: string) =>
    /core\/src\/domain\/(?!Machine|fields|secretShapes)|store\/src\/(append|record|sync|trust\/[A-Z])/.test(path)
  const [reading, writing] = await Promise.all([evaluatedWith("layerRead"), evaluatedWith("layer")])
  expect(reading).toContain("store/src/Database.ts")
  expect(reading.filter(isKnowing)).toEqual([])
  expect(writing.filter(isKnowing)).toEqual(
    expect.arrayContaining(["core/src/domain/Events.ts", "store/src/append.ts"]),
  )
})
