/** What became of the machines that may write, an event a sentence. */
import type { MachineChange } from "@context-engine/core/services/History"
import { safe } from "./safe.js"
import type { Style } from "./text.js"
import { count } from "./units.js"

type Told = readonly [sign: string, style: Style, what: string]

/** What an event about machines says. The names are those that it was written with. */
export const membershipTold = ({ data, type }: Pick<MachineChange, "data" | "type">): Told => {
  const of = (data ?? {}) as Readonly<Record<string, any>>
  const named = safe(String(of.name ?? of.machineId ?? of.inviteId ?? ""))
  switch (type) {
    case "MachineJoined":
      return ["+", "good", `machine ${named} joined by itself`]
    case "RootEstablished":
      return ["~", "warn", `${beginning(of)} with ${named} as its root${beside(of)}`]
    case "InviteIssued":
      return ["+", "good", `invite ${named} for ${count(Number(of.uses), safe(String(of.role)))}`]
    case "InviteClosed":
      return ["-", "bad", `invite ${named} ${of.reason === "expired" ? "expired" : "withdrawn"}`]
    case "EnrolmentRequested":
      return ["+", "good", `machine ${named} asked to write${of.invite ? ", by an invite" : ""}`]
    case "MachineEnrolled":
      return ["+", "good", `machine ${named} enrolled as ${safe(String(of.role))}`]
    case "MachineRevoked":
      return ["-", "bad", `machine ${named} revoked`]
    case "MachineRenamed":
      return ["~", "warn", `machine ${safe(String(of.from))} is called ${safe(String(of.to))}`]
    case "InertAcknowledged":
      return ["~", "warn", `what counts for nothing up to position ${Number(of.until)} acknowledged`]
    default:
      return ["~", "warn", `machine ${named}`]
  }
}

const beginning = ({ cutoff }: Readonly<Record<string, any>>): string =>
  cutoff?.position === 0 ? "the log begins" : "the log goes on"

const beside = ({ machines }: Readonly<Record<string, any>>): string =>
  Array.isArray(machines) && machines.length > 0
    ? `, and ${machines.map((one) => safe(String(one?.name))).join(", ")} beside it`
    : ""
