/** The `secrets_registry` view. */
import { entity, type Secret } from "../domain/Secret.js"
import { type EntityRow, entityView } from "./entityView.js"

export type SecretRow = Secret & EntityRow & { readonly lastRotated: string | null }

export const secrets = entityView<"Secret", Secret, { readonly lastRotated: string | null }>({
  name: "secrets_registry",
  version: 1,
  entity,
  stream: "secret",
  unique: [["name", "serviceId", "serverId"]],
  initial: { lastRotated: null },
  onFact: (row, { type, data }) => (type === "SecretRotated" ? { ...row, lastRotated: data.at } : row),
})
