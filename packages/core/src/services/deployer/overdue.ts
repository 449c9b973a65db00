/** Deployments that nobody has seen to their end, though it must have come. Pure. */
import { spanMillis } from "../../Time.js"
import type { DeploymentRow } from "../../views/deployments.js"
import type { ServiceRow } from "../../views/services.js"

/** What a deployment takes beyond its commands and checks, in milliseconds: links that are down, and waiting. */
const grace = 5 * 60_000

/**
 * Whether a deployment must be over by the settings of its service, at a time in milliseconds since 1970, and the log does not say how: who
 * watched it is gone, as a job that was ended. One that was given more time by hand is told, too, for as long as it takes.
 */
export const isOverdue = (
  { startedAt, status }: Pick<DeploymentRow, "startedAt" | "status">,
  { deploySettings }: Pick<ServiceRow, "deploySettings">,
  now: number,
): boolean => {
  const timeout = spanMillis(deploySettings?.timeout ?? "") ?? 15 * 60_000
  const health = spanMillis(deploySettings?.healthTimeout ?? "") ?? 60_000
  return status === "in_progress" && now - Date.parse(startedAt) > timeout + health + grace
}
