/** What a host does while it follows a file, where something else happens there between two of its steps. */
import { execFileSync, spawn } from "node:child_process"
import { appendFileSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, it } from "vitest"
import { followFile } from "../../../src/services/logs/fileScript.js"

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "context-logs-"))
  path = join(directory, "api.log")
})
afterEach(() => rmSync(directory, { recursive: true }))

/** An `ls` that does something else first, once: before it lists the newest first, which is how a file is looked for to be opened. */
const interfere = (script: string): string => {
  const [commands, armed] = [join(directory, "bin"), join(directory, "armed")]
  execFileSync("mkdir", [commands])
  const real = execFileSync("sh", ["-c", "command -v ls"], { encoding: "utf8" }).trim()
  const shim = `#!/bin/sh\ncase $1 in -idLt) [ ! -e '${armed}' ] || { rm '${armed}'; ${script}; } ;; esac\nexec ${real} "$@"\n`
  writeFileSync(join(commands, "ls"), shim, { mode: 0o755 })
  writeFileSync(armed, "")
  return commands
}

/** Follows the file with the commands of a directory before the system's, until an output is in it. */
const readUntil = async (commands: string, last: string, onRead: (text: string) => void) => {
  const env = { ...process.env, PATH: `${commands}:${process.env.PATH}` }
  const reading = spawn("sh", ["-c", followFile, "follow", path, "all", "1", "", "", ""], { env })
  reading.stdin.end("token\n")
  let text = ""
  for await (const piece of reading.stdout) {
    text += String(piece)
    onRead(text)
    if (text.includes(last)) break
  }
  reading.kill()
  const lines = text.split(/(?<=\n)/)
  return lines.filter((line) => !line.startsWith("\u001e")).join("")
}

it("a file that was compressed while it was opened is read, though a new one has its inode", async () => {
  writeFileSync(path, "one\n")
  // The second is compressed after it was chosen, and the third gets its inode.
  const commands = interfere(`mv '${path}' '${path}.1' && gzip '${path}.1' && sleep 0.05 && echo three >'${path}'`)
  let rotated = false
  const text = await readUntil(commands, "three\n", (read) => {
    if (rotated || !read.includes("one\n")) return
    rotated = true
    renameSync(path, `${path}.2`)
    execFileSync("sleep", ["0.05"])
    appendFileSync(path, "two\n")
  })
  expect(existsSync(`${path}.1.gz`)).toBe(true)
  expect(text).toBe("one\ntwo\nthree\n")
}, 30_000)
