/** The tables, and the triggers that bind every client of the file, whichever program it is. */
import { tables } from "./tables.js"

/** "CTXE" in ASCII, in the file's header: tells our files from other programs' databases. */
export const applicationId = 0x43545845

const log = `
CREATE TABLE events (
  position    INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  stream      TEXT NOT NULL,
  version     INTEGER NOT NULL,
  type        TEXT NOT NULL,
  schema      INTEGER NOT NULL,
  data        TEXT NOT NULL,
  meta        TEXT NOT NULL,
  occurred_at TEXT NOT NULL,
  recorded_at TEXT NOT NULL,
  hash        TEXT NOT NULL,
  signature   TEXT,
  UNIQUE (stream, version)
) STRICT;

CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the log is append-only: no event is ever changed'); END;

CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the log is append-only: no event is ever deleted'); END;

-- An INSERT OR REPLACE deletes without firing the trigger above, so what would be replaced is refused here.
CREATE TRIGGER events_append_only BEFORE INSERT ON events
WHEN NEW.position <> (SELECT coalesce(max(position), 0) + 1 FROM events)
  OR NEW.version <> (SELECT coalesce(max(version), 0) + 1 FROM events WHERE stream = NEW.stream)
  OR EXISTS (SELECT 1 FROM events WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'the log is append-only: an event goes to the last position plus one, as the last version of its stream plus one, under an id that is new');
END;

-- Which version of each view the tables hold.
CREATE TABLE projections (
  name    TEXT PRIMARY KEY,
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last event that is folded into the tables: one row.
CREATE TABLE checkpoint (position INTEGER NOT NULL) STRICT;
INSERT INTO checkpoint VALUES (0);
`

/** The indexes of the tables of rows: made again whenever those are. */
export const indexes = `
CREATE INDEX deployments_by_service ON deployments (service_id, started_at);
CREATE INDEX infra_events_by_position ON infra_events (position);
CREATE INDEX infra_events_by_service ON infra_events (service_id, position) WHERE service_id IS NOT NULL;
CREATE INDEX infra_events_by_server ON infra_events (server_id, position) WHERE server_id IS NOT NULL;
`

/**
 * How this log stands to the one that machines share. The events up to `position` are in both; what follows is this machine's
 * own and waits to be pushed. `rebases` counts how often it was put after others' events.
 */
const sync = `
CREATE TABLE sync (
  one          INTEGER PRIMARY KEY CHECK (one = 1),
  log_id       TEXT,
  position     INTEGER NOT NULL,
  hash         TEXT NOT NULL,
  remote_head  INTEGER NOT NULL,
  rebases      INTEGER NOT NULL,
  skew         INTEGER,
  contacted_at TEXT,
  error        TEXT,
  unknown      TEXT NOT NULL
) STRICT;
INSERT INTO sync VALUES (1, NULL, 0, '${"0".repeat(64)}', 0, 0, NULL, NULL, NULL, '[]');

-- Rows as they were before this machine's own events changed them, as of a position: what a rebase goes back to.
CREATE TABLE sync_rows (
  view     TEXT NOT NULL,
  id       TEXT NOT NULL,
  position INTEGER NOT NULL,
  row      TEXT,
  PRIMARY KEY (view, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_history (
  number INTEGER PRIMARY KEY,
  at     TEXT NOT NULL,
  what   TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
`

/**
 * From the log's root on, the hash covers a salted digest of an event's data. `inert` has the events of the shared log that
 * count for nothing; `chains` the last unit of each session in it; `signing` the chain that this file's own units go on with.
 */
const trust = `
ALTER TABLE events ADD COLUMN salt TEXT;
ALTER TABLE events ADD COLUMN digest TEXT;

CREATE TABLE inert (
  position INTEGER PRIMARY KEY,
  reason   TEXT NOT NULL
) STRICT;

CREATE TABLE chains (
  machine     TEXT NOT NULL,
  session     TEXT NOT NULL,
  number      INTEGER NOT NULL,
  unit        TEXT NOT NULL,
  occurred_at TEXT NOT NULL,
  PRIMARY KEY (machine, session)
) STRICT, WITHOUT ROWID;

-- What was wrong with the running numbers of a machine: a unit that is missing, doubled or out of order.
CREATE TABLE breaks (
  position INTEGER PRIMARY KEY,
  message  TEXT NOT NULL
) STRICT;

CREATE TABLE signing (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  machine     TEXT,
  root        TEXT,
  session     TEXT,
  number      INTEGER NOT NULL,
  unit        TEXT NOT NULL,
  occurred_at TEXT NOT NULL
) STRICT;
INSERT INTO signing VALUES (1, NULL, NULL, NULL, 0, '', '');

-- The roots that a person on this machine has accepted, and those that nobody here has judged: accepted_at is NULL then.
CREATE TABLE roots (
  event_id    TEXT PRIMARY KEY,
  accepted_at TEXT,
  position    INTEGER,
  name        TEXT,
  public_key  TEXT
) STRICT, WITHOUT ROWID;

-- Where a clock may have gone back between two units of one session: without any, the times of a session are in order.
CREATE TABLE clock_steps (position INTEGER PRIMARY KEY) STRICT;
INSERT INTO clock_steps SELECT later.position FROM events AS later JOIN events AS earlier
  ON earlier.position = later.position - 1 WHERE later.occurred_at < earlier.occurred_at;

-- Up to here events have the shared log's time as the one at which they were recorded; it stays where the log is disconnected.
ALTER TABLE sync ADD COLUMN recorded INTEGER NOT NULL DEFAULT 0;
UPDATE sync SET recorded = position WHERE log_id IS NOT NULL;

-- A file that a replay wrote shows its log as of a moment. Events of it that had not happened then are kept as inert.
CREATE TABLE replayed (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  moment TEXT NOT NULL
) STRICT;
`

/**
 * Every append writes the checkpoint anyway: with the chain beside it, it is one statement and one page less. What `signing` had
 * is in `checkpoint` now: where this file stands, in what it has folded and in what it has signed.
 */
const oneCheckpoint = `
ALTER TABLE checkpoint ADD COLUMN machine TEXT;
ALTER TABLE checkpoint ADD COLUMN root TEXT;
ALTER TABLE checkpoint ADD COLUMN session TEXT;
ALTER TABLE checkpoint ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE checkpoint ADD COLUMN unit TEXT NOT NULL DEFAULT '';
ALTER TABLE checkpoint ADD COLUMN occurred_at TEXT NOT NULL DEFAULT '';
UPDATE checkpoint SET (machine, root, session, number, unit, occurred_at) =
  (SELECT machine, root, session, number, unit, occurred_at FROM signing);
DROP TABLE signing;
`

/** The ids of decisions about who may write that the shared log had and lost: JSON. */
const displaced = "ALTER TABLE sync ADD COLUMN displaced TEXT NOT NULL DEFAULT '[]';"

/** By which clock `skew` was measured, in milliseconds since 1970: when, and when the machine was started by it. */
const measured = `
ALTER TABLE sync ADD COLUMN measured_at INTEGER;
ALTER TABLE sync ADD COLUMN started_at INTEGER;
`

/**
 * Which file this is, from when a program first worked on it, and how often its end was moved: an older copy of the same file has a lower
 * number.
 */
const written = `
ALTER TABLE checkpoint ADD COLUMN file TEXT NOT NULL DEFAULT '';
ALTER TABLE checkpoint ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
`

/**
 * How far the file had come by itself when what lies beside it was begun. That builds upon it: an older copy in its place has not come so
 * far.
 */
const taken = "ALTER TABLE checkpoint ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;"

/**
 * The migrations, one entry a schema version: never edited, only added to. The number that the file's header holds
 * (`PRAGMA user_version`) is how many of them it has had.
 */
export const migrations: ReadonlyArray<string> = [
  `${log}${tables.map((table) => table.create(table.name)).join("\n")}${indexes}
   INSERT INTO projections (name, version) VALUES ${tables.map((table) => `('${table.name}', ${table.version})`).join(", ")};
   PRAGMA application_id = ${applicationId};`,
  sync,
  trust,
  oneCheckpoint,
  displaced,
  measured,
  written,
  taken,
]

/** What a shared log consists of: the same events, and one row that names the log. */
export const remoteSchemaVersion = 2

const guards: ReadonlyMap<string, string> = new Map(
  [...log.matchAll(/CREATE (?:TABLE|TRIGGER) (events\w*)[\s\S]*?(?:STRICT|END)(?=;)/g)].map((match) => [
    match[1] as string,
    match[0],
  ]),
)

/** The statements that guard the log, by name, as SQLite keeps them: what an audit compares a file with. */
export const expectedSchema: ReadonlyMap<string, string> = new Map(guards).set(
  "events",
  // Where columns that were added stand in the statement of their table.
  (guards.get("events") as string).replace("signature   TEXT", "signature   TEXT, salt TEXT, digest TEXT"),
)

/** The statements that make a shared log, where there is nothing yet. Its name comes as a parameter to the last. */
export const remoteSchema: ReadonlyArray<string> = [
  ...expectedSchema.values(),
  "CREATE TABLE log (log_id TEXT NOT NULL, schema INTEGER NOT NULL, created_at TEXT NOT NULL) STRICT",
]

/** What a shared log of the first schema is brought up to date with, as one transaction. */
export const remoteUpgrade: ReadonlyArray<string> = [
  "ALTER TABLE events ADD COLUMN salt TEXT",
  "ALTER TABLE events ADD COLUMN digest TEXT",
  "UPDATE log SET schema = 2",
]
