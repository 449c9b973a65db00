/** The options that set the fields of a timeline entry, for `add` and `update`. */
import type { InfraEvent, Severity } from "@context-engine/core/domain/InfraEvent"
import { argument, change, choice, given, jsonObject, text } from "../../options.js"

const types = [
  "deploy",
  "restart",
  "health_change",
  "alert",
  "incident",
  "maintenance",
  "config",
  "security",
  "note",
] as const satisfies ReadonlyArray<InfraEvent["type"]>
export const severities = ["info", "warning", "error", "critical"] as const satisfies ReadonlyArray<Severity>

export const id = argument("id", "The entry's id: context infra events --ids shows it")

export const fieldOptions = {
  type: choice("type", types, "What it is about (default: note)"),
  severity: choice("severity", severities, "How grave it is (default: info)"),
  description: text("description", "text", "The story in full"),
  metadata: jsonObject("metadata", "Facts as a JSON object"),
}

interface Fields {
  readonly type: (typeof types)[number] | undefined
  readonly severity: Severity | undefined
  readonly description: string | undefined
  readonly metadata: Record<string, unknown> | null | undefined
}

/** The fields that the options set. */
export const fieldsOf = (options: Fields) =>
  given({
    type: options.type,
    severity: options.severity,
    description: change(options.description),
    metadata: options.metadata,
  })
