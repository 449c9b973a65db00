import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { DeadlineError, withDeadline } from "../src/Deadline.js"

const never = new AbortController().signal

describe("a deadline", () => {
  it("ends what does not heed it", async () => {
    await expect(withDeadline(20, never, () => new Promise(() => {}))).rejects.toBeInstanceOf(DeadlineError)
  })

  it("ends with whoever waits for it, before it and during it", async () => {
    const controller = new AbortController()
    const waiting = withDeadline(60_000, controller.signal, () => new Promise(() => {}))
    controller.abort(new Error("gone"))
    await expect(waiting).rejects.toThrow("gone")
    await expect(withDeadline(60_000, controller.signal, async () => 1)).rejects.toThrow("gone")
  })

  it("is forgotten when it is not needed any more", async () => {
    expect(await withDeadline(60_000, never, async () => 1)).toBe(1)
    await expect(withDeadline(60_000, never, () => Promise.reject(new Error("no")))).rejects.toThrow("no")
  })

  it("is the only one there is: signals that end by themselves are lost to garbage collection", () => {
    const root = join(import.meta.dirname, "..", "..")
    const uses = ["core", "store", "http", "cli"].flatMap((name) => {
      const source = join(root, name, "src")
      return readdirSync(source, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts") && !file.endsWith("Deadline.ts"))
        .filter((file) => /AbortSignal\s*\.\s*(any|timeout)\b/.test(readFileSync(join(source, file), "utf8")))
    })
    expect(uses).toEqual([])
  })
})
