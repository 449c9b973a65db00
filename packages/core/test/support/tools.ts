/** Finds the programs that suites run for real. Without them a suite is skipped by name; where CI is "true" it fails. */
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { describe, it } from "vitest"

/** The absolute path of a program; looks where system programs are, too. */
export const findTool = (name: string): string | undefined =>
  [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin", "/sbin"]
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, name))
    .find(isExecutable)

/** The absolute path of a program that a suite was declared to need. */
export const toolPath = (name: string): string => {
  const path = findTool(name)
  if (path === undefined) throw new Error(`${name} is not installed`)
  return path
}

/** `describe`, for suites that run a program: `requireTool("sshd", "openssh-server")("…", () => { … })`. */
export const requireTool = (name: string, debianPackage: string): Describe => requireTools({ [name]: debianPackage })

/** The same for several programs; each key is a program, its value the Debian package that has it. */
export const requireTools = (tools: Readonly<Record<string, string>>): Describe => {
  const missing = Object.entries(tools).filter(([name]) => findTool(name) === undefined)
  if (missing.length === 0) return (name, body) => void describe(name, body)
  const needs = `needs ${missing.map(([name, debianPackage]) => `${name} (Debian package ${debianPackage})`).join(" and ")}`
  if (process.env.CI === "true") {
    return (name) =>
      void describe(name, () =>
        it(needs, () => {
          throw new Error(`this suite ${needs}, and CI must run every suite: is it in scripts/tools.mjs?`)
        }),
      )
  }
  return (name, body) => void describe.skip(`${name} [${needs}]`, body)
}

export type Describe = (name: string, body: () => void) => void

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
