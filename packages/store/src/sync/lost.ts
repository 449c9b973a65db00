/** Which decisions about who may write the shared log had, and lost: they wait to be put back. */
import { machinesStream, membershipTypes } from "@context-engine/core/domain/Machine"
import type { Connection } from "../connection.js"

/** Keeps which decisions were in the shared log up to a place, and are not there now. */
export const noteDisplaced = (connection: Connection, after: number, until: number): void => {
  const types = JSON.stringify([...membershipTypes])
  const waiting = readDisplaced(connection)
  const found = connection
    .prepare(
      `SELECT id FROM events WHERE position > ? AND position <= ? AND stream = ?
         AND type IN (SELECT value FROM json_each(?)) AND position NOT IN (SELECT position FROM inert)`,
    )
    .all(after, until, machinesStream, types)
    .map(([id]) => id as string)
  write(connection, [...waiting, ...found])
}

/** Keeps that some decisions were there, by their ids. */
export const addDisplaced = (connection: Connection, ids: ReadonlyArray<string>): void =>
  write(connection, [...readDisplaced(connection), ...ids])

/** All are in the shared log again. */
export const forgetDisplaced = (connection: Connection): void => write(connection, [])

const write = (connection: Connection, ids: Iterable<string>): void => {
  // Every exchange that ends well comes here, and nearly always there is nothing to write.
  connection.prepare("UPDATE sync SET displaced = ?1 WHERE displaced <> ?1").run(JSON.stringify([...new Set(ids)]))
}

/** Their ids. */
export const readDisplaced = (connection: Connection): ReadonlySet<string> =>
  new Set(JSON.parse(connection.prepare("SELECT displaced FROM sync").get()[0]))

/** One of them is put back under another id: somebody took the one that it had. */
export const renameDisplaced = (connection: Connection, from: string, to: string): void => {
  const ids = readDisplaced(connection)
  if (ids.has(from)) write(connection, [...ids, to])
}
