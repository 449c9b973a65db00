/**
 * What runs in the process that owns a replica. It is text for `node -e`, so that it is there in every bundle.
 *
 * A process of its own, because libSQL's replica blocks its thread for every round trip, without end where the primary is
 * silent, and a panic in it ends the process. It is given the driver as an argument, everything else on its standard input: a
 * line of JSON a request. Answers go to descriptor 3; what the driver prints of its own goes nowhere.
 */
export const script = `
// What the driver makes holds the log.
process.umask(0o077)
const fs = require("node:fs")
const Database = require(process.argv[1])
const out = new (require("node:net").Socket)({ fd: 3, readable: false, writable: true })
let given, held, replica

const begin = (request) => {
  given = request
  // Kept open: the lock goes with this process, however it ends.
  held = new Database(given.lock, { timeout: 0 })
  held.exec("BEGIN EXCLUSIVE")
  return {}
}
const wipe = () => {
  for (const name of fs.readdirSync(given.directory)) {
    const file = given.directory + "/" + name
    if (!file.startsWith(given.lock)) fs.rmSync(file, { recursive: true, force: true })
  }
  return {}
}
const open = () => new Database(given.directory + "/replica.db", { syncUrl: given.url, authToken: given.token })
const read = ({ statements }) => {
  replica ??= open()
  replica.exec("BEGIN")
  try {
    return { results: statements.map(({ sql, args }) => replica.prepare(sql).raw(true).all(...args)) }
  } catch (error) {
    if (/no such (table|column)/.test(error.message)) return { results: null }
    throw error
  } finally {
    if (replica.inTransaction) replica.exec("ROLLBACK")
  }
}
const sync = () => {
  replica ??= open()
  replica.sync()
  return {}
}

const ways = { begin, wipe, read, sync }
require("node:readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    let answer
    try {
      const request = JSON.parse(line)
      answer = ways[request.way](request)
    } catch (error) {
      answer = { error: String(error.message), busy: replica === undefined && /^SQLITE_BUSY/.test(error.code) }
    }
    out.write(JSON.stringify(answer) + "\\n")
  })
  .on("close", () => process.exit())
`
