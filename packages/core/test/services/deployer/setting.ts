/** A service on a real sshd, and the machines that deploy it. */
import { existsSync, mkdtempSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { Commands } from "../../../src/Commands.js"
import { entity, HostKeyPinned } from "../../../src/domain/Server.js"
import type { ServiceInput } from "../../../src/domain/Service.js"
import { Deployer, type DeployOptions } from "../../../src/services/Deployer.js"
import { Registry } from "../../../src/services/Registry.js"
import type { Sshd } from "../../support/sshd.js"
import { inSshWorld, serverAt, type World } from "../../support/world.js"

export interface Setup extends Partial<Omit<ServiceInput, "serverId">> {
  readonly deployCommand: string
  /** The port of SSH to go through. Default: the server's own. */
  readonly through?: number
}

/** A machine with a log of its own that knows the server `host` and the service `api` on it. */
export const onMachine = <A, E>(
  sshd: Sshd,
  { through = sshd.port, ...service }: Setup,
  story: (deployer: Deployer["Type"]) => Effect.Effect<A, E, World>,
) =>
  inSshWorld(
    Effect.gen(function* () {
      const registry = yield* Registry
      const server = serverAt("host", sshd)
      const { id } = yield* registry.servers.add({
        ...server,
        sshConfig: { ...server.sshConfig, port: through } as never,
      })
      const key = { ...sshd.hostKey, address: `${sshd.host}:${through}` }
      yield* (yield* Commands).record(entity.aggregate, id, [HostKeyPinned({ server: "host", ...key })])
      yield* registry.services.add({ name: "api", server: "host", ...service })
      return yield* story(yield* Deployer)
    }),
    { keepaliveInterval: 1_000, keepaliveCountMax: 2 },
  )

/** What a deployment prints, as whoever watches it gets it. */
export const listener = () => {
  const chunks: Array<Buffer> = []
  const onOutput: DeployOptions["onOutput"] = ({ data }) => Effect.sync(() => void chunks.push(Buffer.from(data)))
  return { onOutput, text: () => Buffer.concat(chunks).toString(), bytes: () => Buffer.concat(chunks) }
}

/** A directory on the "host" for a command to leave traces in. */
export const tracks = () => {
  const directory = mkdtempSync(join(tmpdir(), "context-tracks-"))
  const path = (name: string) => join(directory, name)
  return {
    directory,
    path,
    read: (name: string) => (existsSync(path(name)) ? readFileSync(path(name), "utf8") : ""),
  }
}

/** The directory of a service's ledger. */
export const ledgerOf = (sshd: Sshd, service = "api") => join(sshd.home, ".context", "deploy", service)

/** Prints `line 0` to `line <count - 1>` with a pause between, and notes that it ran. */
export const lines = (count: number, pause: string, traces: string) =>
  `echo x >> ${traces}/ran; i=0; while [ $i -lt ${count} ]; do echo "line $i"; i=$((i+1)); sleep ${pause}; done`

export const linesText = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}\n`).join("")
