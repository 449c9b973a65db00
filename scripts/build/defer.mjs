/** An esbuild plugin: modules that are evaluated when something of theirs is first used, not when they are imported. */
import { readFileSync } from "node:fs"

/**
 * `isDeferred` is asked for the path of every imported module, or its name if it is one of Node's own.
 *
 * Only for modules whose evaluation nobody waits for: they set nothing up, and no importer reads them while it is itself
 * evaluated (that would work, but win nothing). Each importer gets a stand-in with one getter for each name it uses, so
 * that what nobody uses still stays out of the bundle.
 */
export const defer = (isDeferred) => ({
  name: "defer",
  setup: ({ onLoad, onResolve, resolve }) => {
    onResolve({ filter: /.*/ }, async ({ importer, kind, namespace, path, pluginData, resolveDir }) => {
      if (kind !== "import-statement" || namespace !== "file" || pluginData === real) return
      const found = path.startsWith("node:") ? { path } : await resolve(path, { importer, kind, resolveDir, pluginData: real })
      if (found.errors?.length > 0 || !isDeferred(found.path, importer)) return
      const names = namesUsed(readFileSync(importer, "utf8"), path)
      if (names === undefined) return
      return { path: `${found.path}?${names}`, namespace: "stand-in", pluginData: { names, target: found.path, resolveDir } }
    })

    onLoad({ filter: /.*/, namespace: "stand-in" }, ({ pluginData: { names, resolveDir, target } }) => ({
      contents: standIn(names, target),
      pluginData: { names, resolveDir, target },
      resolveDir,
    }))

    onResolve({ filter: /^deferred:/, namespace: "stand-in" }, ({ importer, pluginData }) => ({
      path: importer,
      namespace: "deferred",
      pluginData,
    }))

    onLoad({ filter: /.*/, namespace: "deferred" }, ({ pluginData: { names, resolveDir, target } }) => ({
      contents: `export { ${names} } from ${JSON.stringify(target)}`,
      // In TypeScript a name may be a type only.
      loader: "ts",
      resolveDir,
    }))
  },
})

/** Marks the plugin's own question to esbuild. */
const real = Symbol("real")

const standIn = (names, target) => {
  const module = target.startsWith("node:") ? target : `deferred:${target}`
  const getters = names.map((name) => `${name}: { enumerable: true, get: () => load().${name} }`)
  return `let loaded
const load = () => (loaded ??= require(${JSON.stringify(module)}))
Object.defineProperties(exports, { ${getters.join(", ")} })`
}

/** The names that a module uses of another; `undefined` if it is not plain to see. */
const namesUsed = (source, path) => {
  const text = source.replace(/\/\*.*?\*\/|^\s*\/\/.*$/gms, "")
  const names = new Set()
  const imports = text.matchAll(/^import (type )?(?:\* as (\w+)|\{([^}]*)\}|(.*?)) from ["'](.*)["'];?$/gm)
  for (const [, type, namespace, list, other, from] of imports) {
    if (from !== path || type !== undefined) continue
    if (other !== undefined) return undefined
    for (const item of list?.split(",") ?? []) {
      const name = item.trim().split(" as ")[0]
      if (name !== "" && !name.startsWith("type ")) names.add(name)
    }
    if (namespace === undefined) continue
    const uses = [...text.matchAll(new RegExp(`(?<![\\w.$"'])${namespace}\\b(?!["'])(?:\\.(\\w+))?`, "g"))]
    // Once in the import itself.
    if (uses.filter(([, name]) => name === undefined).length > 1) return undefined
    for (const [, name] of uses) if (name !== undefined) names.add(name)
  }
  return [...names].sort()
}
