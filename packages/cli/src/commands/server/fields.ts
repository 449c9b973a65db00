/** The options that set a server's fields, for `add` and `update`. */
import type { Resources, ServerRole, SshConfig } from "@context-engine/core/domain/Server"
import { change, changeList, choiceOrNone, given, integerOrNone, many, parsed, size, text } from "../../options.js"
import { parseSsh, type SshSettings } from "../../ssh.js"

const roles = ["production", "staging", "development", "homelab"] as const satisfies ReadonlyArray<ServerRole>

export const fieldOptions = {
  ip: many("ip", "address", "An IP address; the first one is dialled. May be given several times"),
  hostname: text("hostname", "name", "The host's own name, dialled where there is no address"),
  role: choiceOrNone("role", roles, "What it is for"),
  ssh: parsed("ssh", "settings", 'How to log in: "user=deploy,port=22,key=~/.ssh/id_ed25519,jump=bastion"', (value) =>
    value === "" ? null : parseSsh(value),
  ),
  os: text("os", "name", "Its operating system; found out by server status, too"),
  cpu: integerOrNone("cpu", "How many processors it has"),
  ram: size("ram", "How much memory it has", "32GB"),
  disk: size("disk", "How much disk it has", "1TB"),
  tag: many("tag", "tag", "A word to find it by. May be given several times"),
  notes: text("notes", "text", "Anything worth knowing"),
}

interface Fields {
  readonly ip: ReadonlyArray<string>
  readonly hostname: string | undefined
  readonly role: ServerRole | null | undefined
  readonly ssh: SshSettings | null | undefined
  readonly os: string | undefined
  readonly cpu: number | null | undefined
  readonly ram: string | undefined
  readonly disk: string | undefined
  readonly tag: ReadonlyArray<string>
  readonly notes: string | undefined
}

/** What a server has now, of the fields that are changed in parts. */
interface Current {
  readonly sshConfig: SshConfig | null
  readonly resources: Resources | null
}

/** The fields that the options set; parts that they leave out stay as they are. */
export const fieldsOf = (options: Fields, current: Current = { sshConfig: null, resources: null }) =>
  given({
    ipAddresses: changeList(options.ip),
    hostname: change(options.hostname),
    role: options.role,
    sshConfig: options.ssh && { ...noSsh, ...current.sshConfig, ...options.ssh },
    os: change(options.os),
    resources: resourcesOf(options, current.resources),
    tags: changeList(options.tag),
    notes: change(options.notes),
  })

const noSsh: SshConfig = { user: null, port: 22, keyPath: null, jumpHost: null }

const resourcesOf = (options: Fields, current: Resources | null): Resources | undefined => {
  const parts: Partial<Resources> = given({ cpu: options.cpu, ram: change(options.ram), disk: change(options.disk) })
  return Object.keys(parts).length === 0 ? undefined : { cpu: null, ram: null, disk: null, ...current, ...parts }
}
