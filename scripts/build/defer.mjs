/** An esbuild plugin: modules that are evaluated when something of theirs is first used, not when they are imported. */
import { readFileSync } from "node:fs"
import { relative } from "node:path"

/**
 * `modules` and `importers` are regular expressions for paths with forward slashes: what is deferred, and for whom.
 * Source maps name modules by their place below `root`, not on the machine that built them.
 *
 * Only for modules that set nothing up: when they are evaluated must make no difference. Each importer gets a stand-in
 * with one getter for each name it uses, so that what nobody uses still stays out of the bundle.
 */
export const defer = ({ importers, modules, root }) => ({
  name: "defer",
  setup: ({ onLoad, onResolve, resolve }) => {
    onResolve({ filter: /.*/ }, async ({ importer, kind, namespace, path, pluginData, resolveDir }) => {
      if (kind !== "import-statement" || namespace !== "file" || pluginData === answered) return
      if (!matches(importers, importer)) return
      const found = await resolve(path, { importer, kind, resolveDir, pluginData: answered })
      if (found.errors.length > 0 || !matches(modules, found.path)) return
      const names = namesUsed(readFileSync(importer, "utf8"), path)
      if (names === undefined) return
      const data = { names, resolveDir, target: found.path }
      return { path: `${relative(root, found.path)}?${names}`, namespace: "stand-in", pluginData: data }
    })

    onLoad({ filter: /.*/, namespace: "stand-in" }, ({ pluginData }) => ({
      contents: standIn(pluginData),
      pluginData,
      resolveDir: pluginData.resolveDir,
    }))

    onResolve({ filter: /^deferred$/, namespace: "stand-in" }, ({ importer, pluginData }) => ({
      path: importer,
      namespace: "deferred",
      pluginData,
    }))

    onLoad({ filter: /.*/, namespace: "deferred" }, ({ pluginData: { names, resolveDir, target } }) => ({
      contents: `export { ${names} } from ${JSON.stringify(target)}`,
      resolveDir,
    }))
  },
})

/** Marks the plugin's own question to esbuild. */
const answered = Symbol("answered")

const matches = (pattern, path) => pattern.test(path.replaceAll("\\", "/"))

const standIn = ({ names }) => {
  const getters = names.map((name) => `${name}: { enumerable: true, get: () => load().${name} }`)
  return `let loaded
const load = () => (loaded ??= require("deferred"))
Object.defineProperties(exports, { ${getters.join(", ")} })`
}

/** The names that a module uses of another; `undefined` if it is not plain to see. */
const namesUsed = (source, path) => {
  const text = source.replace(/\/\*.*?\*\/|^\s*\/\/[^\n]*$/gms, "")
  const names = new Set()
  for (const [, namespace, list, from] of text.matchAll(/^import (?:\* as (\w+)|\{([^}]*)\}) from "(.*)";$/gm)) {
    if (from !== path) continue
    for (const item of list?.split(",") ?? []) names.add(item.trim().split(" as ")[0])
    if (namespace === undefined) continue
    const uses = [...text.matchAll(new RegExp(`(?<![\\w.$"'/])${namespace}\\b(?!["'])(?:\\.(\\w+))?`, "g"))]
    // Once in the import itself; a second time it is passed on as a whole.
    if (uses.filter(([, name]) => name === undefined).length > 1) return undefined
    for (const [, name] of uses) if (name !== undefined) names.add(name)
  }
  return names.size === 0 ? undefined : [...names].sort()
}
