/** The store's `sqlClient.js` with @effect/sql-libsql in it, over the libSQL that the store itself uses. */
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { noticesOf } from "./notices.mjs"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Replaces what the compiler made of the module. Its types stay: they name nothing of @effect/sql-libsql. */
export const bundleSqlClient = async (outfile) => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["packages/store/src/sqlClient.ts"],
    outfile,
    allowOverwrite: true,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    sourcemap: "linked",
    legalComments: "none",
    plugins: [oneInside],
    metafile: true,
    logLevel: "warning",
  })
  noticesOf(metafile, outfile)
}

/** All imports stay imports, but for the package itself. It has a client made for it, and needs none of the remote protocols. */
const oneInside = {
  name: "one-inside",
  setup: ({ onResolve }) => {
    onResolve({ filter: /^@libsql\/client$/ }, () => ({ path: "@libsql/client/sqlite3", external: true }))
    onResolve({ filter: /^[^.]/ }, ({ kind, path }) => {
      const inside = kind === "entry-point" || path.startsWith("@effect/sql-libsql/")
      return inside ? undefined : { path, external: true }
    })
  },
}
