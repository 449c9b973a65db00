/** A log as it was before logs had a root: made by the rules of then, which are written here once more and not taken from the source. */
import { createHash } from "node:crypto"
import { canonicalJson } from "@context-engine/core/CanonicalJson"
import { NativeConnection } from "../../src/connection.js"
import type { Signer } from "../../src/Signer.js"
import { migrations } from "../../src/schema.js"
import { serverAdded, uuid } from "./events.js"

type OldRow = ReadonlyArray<string | number | null>

const genesis = "0".repeat(64)
const sha256 = (text: string) => createHash("sha256").update(text).digest()

/** The hash covered the data itself, and a signature the events of one append. */
interface OldAppend {
  readonly signer: Signer | undefined
  readonly events: ReadonlyArray<OldRow>
}
const rowsOf = (appends: ReadonlyArray<OldAppend>): ReadonlyArray<OldRow> => {
  let hash = genesis
  let position = 0
  const versions = new Map<string, number>()
  return appends.flatMap(({ events, signer }) => {
    const signature = signer?.sign(sha256(JSON.stringify(events))) ?? null
    return events.map(([id, stream, type, schema, data, meta, at]): OldRow => {
      position += 1
      const version = (versions.get(stream as string) ?? 0) + 1
      versions.set(stream as string, version)
      const content = [hash, position, id, stream, version, type, schema, data, meta, at, signature]
      hash = sha256(JSON.stringify(content)).toString("hex")
      return [position, id as string, stream as string, version, type as string, schema as number, data as string, meta as string, at as string, at as string, hash, signature] // biome-ignore format: one row
    })
  })
}

const event = (stream: string, type: string, data: unknown, machine: string): OldRow => {
  const meta = { actor: "ada", commandId: uuid(), machine, via: "cli" }
  return [uuid(), stream, type, 1, canonicalJson(data), canonicalJson(meta), "2026-01-01T00:00:00.000Z"]
}

/** Machines that joined by their own word and added a server each, in one append; nobody's, where nothing was signed. */
export const oldRows = (signers: ReadonlyArray<Signer | undefined>, names: ReadonlyArray<string>) =>
  rowsOf(
    signers.flatMap((signer, i): ReadonlyArray<OldAppend> => {
      const added = event(`server-${uuid()}`, "ServerAdded", serverAdded(names[i] as string).data, signer?.name ?? "x")
      if (signer === undefined) return [{ signer, events: [added] }]
      const { id, name, publicKey } = signer
      const joined = event(`machine-${id}`, "MachineJoined", { machineId: id, name, publicKey }, name)
      return [{ signer, events: [joined, added] }]
    }),
  )

/** Writes a file of the version before. Its rows are made anew when it is opened. */
export const writeOldFile = (path: string, rows: ReadonlyArray<OldRow>): void => {
  const connection = new NativeConnection(path, 5_000)
  connection.exec("PRAGMA journal_mode = WAL")
  for (const migration of migrations.slice(0, 2)) connection.exec(migration)
  for (const row of rows) connection.prepare(`INSERT INTO events VALUES (${row.map(() => "?").join(", ")})`).run(row)
  connection.exec("UPDATE projections SET version = 0; PRAGMA user_version = 2")
  connection.close()
}

/** Makes an empty shared log one of the version before, with these events. */
export const writeOldShared = (connection: NativeConnection, logId: string, rows: ReadonlyArray<OldRow>): void => {
  const [log] = migrations as [string]
  for (const statement of log.split(/;\n\n/).slice(0, 4)) connection.exec(`${statement};`)
  connection.exec("CREATE TABLE log (log_id TEXT NOT NULL, schema INTEGER NOT NULL, created_at TEXT NOT NULL) STRICT")
  connection.prepare("INSERT INTO log VALUES (?, 1, '2026-01-01T00:00:00.000Z')").run(logId)
  for (const row of rows) connection.prepare(`INSERT INTO events VALUES (${row.map(() => "?").join(", ")})`).run(row)
}
