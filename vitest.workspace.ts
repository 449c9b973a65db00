import { fileURLToPath } from "node:url"
import { defineWorkspace } from "vitest/config"

const setup = fileURLToPath(new URL("scripts/testTurns.ts", import.meta.url))

const project = (name: string, root: string) => ({
  test: {
    name,
    root,
    include: ["test/**/*.test.ts"],
    setupFiles: [setup],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
  resolve: { conditions: ["@context-engine/source"] },
  ssr: { resolve: { conditions: ["@context-engine/source"] } },
})

export default defineWorkspace([
  project("core", "packages/core"),
  project("store", "packages/store"),
  project("http", "packages/http"),
  project("cli", "packages/cli"),
  project("examples", "examples"),
])
