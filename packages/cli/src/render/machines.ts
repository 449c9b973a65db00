/** Who may write to the log, for people. */
import type { Invited, MachineRow, Machines_ } from "@context-engine/core/services/Machines"
import { safe } from "./safe.js"
import { state } from "./states.js"
import { table } from "./table.js"
import { paint, type Renderer, type Screen, wrap } from "./text.js"
import { count, ends, moment, span } from "./units.js"

/** All machines: first what somebody has to do something about. */
export const machines: Renderer<Machines_ & { readonly skew?: number; readonly begins?: boolean }> = (
  { begins = false, invites, machines: all, otherRoots, pendingRoots, skew = 0 },
  screen,
) => {
  const waiting = all.filter(({ status }) => status === "waiting")
  const byTheir = byTheirClock(screen, skew)
  const open = invites.filter(isGood(byTheir))
  const parts = [
    ...pendingRoots
      .slice(0, most)
      .map(({ fingerprint, name, position }) =>
        asked(
          screen,
          `${name} began a root of this log at position ${position}. Its fingerprint is ${fingerprint}`,
          `if it shows the same there: context infra machine trust ${fingerprint}`,
        ),
      ),
    ...(pendingRoots.length > most
      ? [`${pendingRoots.length - most} more roots: context infra machine list --json`]
      : []),
    ...waiting.map((row) => asked(screen, ...request(row, all))),
    all.length === 0 ? (begins ? first : nobody) : known(all, screen),
    ...(open.length === 0 ? [] : [openInvites(open, all, byTheir)]),
    ...otherRoots.slice(0, most).map(other(screen)),
  ]
  return parts.join("\n\n")
}

/** The screen by the clock of the shared log, which invites go by: that of this machine may be wrong. */
const byTheirClock = (screen: Screen, skew: number): Screen =>
  screen.now === undefined ? screen : { ...screen, now: screen.now + skew }

/** Nobody comes by an invite that has expired, however many it was for. */
const isGood =
  ({ now }: Screen) =>
  ({ expiresAt }: Machines_["invites"][number]): boolean =>
    now === undefined || Date.parse(expiresAt) > now

const other =
  (screen: Screen) =>
  ({ fingerprint, name, position }: Machines_["otherRoots"][number]): string =>
    wrap(
      safe(
        `a root that does not count here: ${name} (${fingerprint}), at position ${position}. To go to it: context infra machine trust ${fingerprint} --position ${position}`,
      ),
      screen.columns,
    ).join("\n")

/** Anybody with the token may begin roots: so many are shown. */
const most = 5

const first =
  "no machine is enrolled yet: the first thing that is written to this log begins it, and enrols the machine that writes it"

const nobody =
  "no machine is enrolled: whoever can write to this log may, and nothing shows who did\n  its first: context infra machine root"

/** What is said of a machine that waits: its own words where it is this one, and who decides where that is another. */
const request = (
  { fingerprint, here, name }: MachineRow,
  all: ReadonlyArray<MachineRow>,
): readonly [string, string] => {
  const approve = `context infra machine approve ${name}`
  const admins = all.filter(({ role, status }) => role === "admin" && status === "enrolled")
  const on =
    admins.length === 0 ? "on an admin machine" : `on an admin machine (${admins.map((one) => one.name).join(", ")})`
  if (here) return [`this machine waits to be enrolled. Its fingerprint is ${fingerprint}`, `${on}: ${approve}`]
  const where = admins.some((one) => one.here) ? "" : `, ${on}`
  return [
    `${name} waits to be enrolled. Its fingerprint is ${fingerprint}`,
    `if it shows the same there${where}: ${approve}`,
  ]
}

const asked = (screen: Screen, what: string, next: string): string => {
  const [first = "", ...rest] = wrap(safe(what), screen.columns - 2)
  const then = wrap(safe(next), screen.columns - 4).map((line) => `    ${line}`)
  return [`${paint(screen, "warn", "!")} ${first}`, ...rest.map((line) => `  ${line}`), ...then].join("\n")
}

const order: ReadonlyArray<MachineRow["status"]> = ["waiting", "enrolled", "revoked"]

const known = (all: ReadonlyArray<MachineRow>, screen: Screen): string =>
  table(
    screen,
    [
      { title: "name", cell: (row) => row.name },
      { title: "role", cell: (row) => (row.root ? `${row.role}, root` : row.role) },
      { title: "status", cell: (row) => state(row.status) },
      { title: "fingerprint", cell: (row) => row.fingerprint },
      { title: "since position", cell: (row) => row.position, right: true },
      { title: "", cell: (row) => (row.here ? "this machine" : "") },
    ],
    [...all].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status) || a.position - b.position),
  )

const openInvites = (invites: Machines_["invites"], all: ReadonlyArray<MachineRow>, screen: Screen): string =>
  table(
    screen,
    [
      { title: "open invite", cell: ({ inviteId }) => inviteId },
      { title: "role", cell: ({ role }) => role },
      { title: "left", cell: ({ left, uses }) => `${left} of ${uses}`, right: true },
      { title: "expires", cell: ({ expiresAt }) => ends(screen, expiresAt) },
      { title: "made by", cell: ({ by }) => all.find(({ machineId }) => machineId === by)?.name ?? by },
    ],
    invites,
  )

/** An invite that was made, or the id of one that was withdrawn. */
type Shown = (Invited & { readonly remote: string | null; readonly skew: number }) | { readonly withdrawn: string }

export const invited: Renderer<Shown> = (made, screen) => {
  const done = paint(screen, "good", "✓")
  if ("withdrawn" in made) return `${done} withdrew invite ${safe(made.withdrawn)}`
  const { code, expiresAt, inviteId, remote, role, skew, uses } = made
  const left =
    screen.now === undefined ? undefined : Math.max(1, Math.round((Date.parse(expiresAt) - skew - screen.now) / 1000))
  const good = left === undefined ? `until ${moment(expiresAt)}` : `for ${span(left)}`
  const unshared = [
    `${paint(screen, "warn", "!")} nothing is shared from here yet, so nobody can come by it; first, on this machine:`,
    "  context infra sync connect <url>",
  ]
  return [
    ...(remote === null ? unshared : []),
    `${done} an invite for ${uses === 1 ? `one ${role}` : count(uses, role)}, good ${good}; it is shown this once. There:`,
    // It is there to be copied, so it is not broken into lines.
    `  context infra sync connect ${safe(remote ?? "<url>")} --invite ${code}`,
    `  to end it before: context infra sync invite withdraw ${inviteId}`,
  ].join("\n")
}

/** The key of a job. */
export const key: Renderer<{ readonly key: string; readonly machine: MachineRow }> = ({ key, machine }, screen) =>
  [
    `${paint(screen, "good", "✓")} enrolled ${safe(machine.name)} as ${machine.role}; for CONTEXT_KEY, and shown this once:`,
    key,
  ].join("\n")
