/**
 * Every log that a test writes is audited as a whole when the test is over: the chain, the signatures, the guards, and every row
 * against one folded anew. What makes files for tests asks for it, so that no test can forget it; one that damages a log on
 * purpose says so.
 */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import { afterAll, afterEach, beforeEach } from "vitest"
import { auditOn } from "../../src/auditOn.js"
import { NativeConnection } from "../../src/connection.js"
import { applicationId } from "../../src/schema.js"

const waiting = { ofTest: new Set<string>(), ofFile: new Set<string>() }
const excepted = new Set<string>()
const noisy = new Set<string>()
let inTest = false

/** The log at a path, which need not be there yet, is audited when the test ends that asks for it, or else its file. */
export const audited = (path: string): string => {
  waiting[inTest ? "ofTest" : "ofFile"].add(path)
  return path
}

/** The log at a path is damaged on purpose, or no log of ours at all: it is not audited. */
export const damaged = (path: string): string => {
  excepted.add(path)
  return path
}

/** Somebody has put events into the log at a path that count for nothing: all but those is audited. */
export const withNoise = (path: string): string => {
  noisy.add(path)
  return path
}

/** Audits the log at a path now. What is not there, or another program's, is none. */
export const audit = async (path: string): Promise<void> => {
  if (excepted.has(path) || !existsSync(path)) return
  const problems = await problemsIn(path)
  if (problems.length === 0) return
  throw new Error(
    `${path} does not hold, and no test says that it is damaged(path) on purpose:\n${problems.join("\n")}`,
  )
}

/** The same for every `.db` in a directory and those below it. */
export const auditAll = async (directory: string): Promise<void> => {
  const names = readdirSync(directory, { recursive: true }) as Array<string>
  for (const name of names.filter((one) => one.endsWith(".db"))) await audit(join(directory, name))
}

const problemsIn = async (path: string): Promise<ReadonlyArray<string>> => {
  const connection = new NativeConnection(`${pathToFileURL(path).href}?mode=ro`, 5_000, "")
  try {
    const [application] = connection.prepare("SELECT application_id FROM pragma_application_id").get()
    if (application !== applicationId) return []
    const { walk } = await Effect.runPromise(auditOn(connection))
    const told = walk.findings.filter(({ kind }) => !noisy.has(path) || !["inert", "sequence"].includes(kind))
    return told.map(({ message }) => message)
  } catch (error) {
    return [String(error)]
  } finally {
    connection.close()
  }
}

const auditWaiting = async (paths: Set<string>) => {
  const found = [...paths]
  paths.clear()
  for (const path of found) await audit(path)
}

beforeEach(() => {
  inTest = true
})
afterEach(async () => {
  inTest = false
  await auditWaiting(waiting.ofTest)
})
afterAll(() => auditWaiting(waiting.ofFile))
