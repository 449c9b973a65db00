/** What a backup is beside the log that is there, for people. */
import type { Compared, Likeness, Portrait } from "@context-engine/store/likeness"
import { safe } from "./safe.js"
import { count, moment } from "./units.js"

/** As the end of "the backup is …"; nothing where there is no log to compare it with. */
export const likenessInWords: Record<Likeness, string | undefined> = {
  new: undefined,
  unreadable: "in the place of a log that cannot be read, so nobody can say how they compare",
  same: "the log there, as it is",
  older: "an older state of the log there",
  newer: "a newer state of the log there",
  forked: "the log there, which went on in another way",
  another: "another log than the one there",
  unsigned: "an unsigned log, in the place of a signed one",
}

/** Both, a line each, for a person to tell them apart. */
export const bothInWords = ({ backup, here }: Compared): ReadonlyArray<string> => [
  ...(here === null ? [] : [line("here", here)]),
  line("backup", backup),
]

const line = (which: string, { events, newest, root, servers }: Portrait): string =>
  [
    `${which.padEnd(8)}${root === null ? "unsigned" : `root: ${safe(root.name)} (${root.fingerprint})`}`,
    count(events, "event"),
    ...(newest === null ? [] : [`the newest ${safe(newest.type)} on ${moment(newest.at)}`]),
    servers.length === 0 ? "no servers" : `servers: ${servers.map(safe).join(", ")}`,
  ].join("; ")
