/** Reads `--ssh "user=deploy,port=22,key=~/.ssh/id_ed25519,jump=bastion"`. */

/** What `--ssh` says; `null` takes a setting away. */
export interface SshSettings {
  readonly user?: string | null
  readonly port?: number
  readonly keyPath?: string | null
  readonly jumpHost?: string | null
}

const keys = ["user", "port", "key", "jump"] as const
const example = 'for example "user=deploy,port=22,key=~/.ssh/id_ed25519,jump=bastion"'

/** Throws what is wrong with it. */
export const parseSsh = (text: string): SshSettings => {
  const settings = new Map<string, string>()
  for (const part of text.split(",").map((piece) => piece.trim())) {
    const equals = part.indexOf("=")
    if (part === "") throw new Error(`has an empty part; ${example}`)
    if (equals < 0) throw new Error(`"${part}" is not key=value; ${example}`)
    const key = part.slice(0, equals).trim()
    if (!(keys as ReadonlyArray<string>).includes(key)) {
      throw new Error(`does not know "${key}": it takes ${keys.join(", ")}; ${example}`)
    }
    if (settings.has(key)) throw new Error(`says ${key} twice`)
    settings.set(key, part.slice(equals + 1).trim())
  }
  return {
    ...setting("user", settings.get("user")),
    ...port(settings.get("port")),
    ...setting("keyPath", settings.get("key")),
    ...setting("jumpHost", settings.get("jump")),
  }
}

const setting = (field: keyof SshSettings, value: string | undefined): SshSettings =>
  value === undefined ? {} : { [field]: value === "" ? null : value }

const port = (value: string | undefined): SshSettings => {
  if (value === undefined) return {}
  if (/^\d{1,6}$/.test(value) && Number(value) >= 1 && Number(value) <= 65_535) return { port: Number(value) }
  throw new Error(`port must be a number from 1 to 65535, not "${value}"`)
}
