/** Many real sshds on this machine, the log that knows them, and an ssh_config that the other programs read. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Registry } from "@context-engine/core"
import { layer } from "@context-engine/store"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ServiceInput } from "../../packages/core/src/domain/Service.js"
import { type Sshd, startSshd } from "../../packages/core/test/support/sshd.js"
import { addTrusted } from "../../packages/core/test/support/world.js"

export interface Farm {
  readonly directory: string
  readonly names: ReadonlyArray<string>
  readonly sshds: ReadonlyArray<Sshd>
  /** For `ssh -F`: every server by its name, with its host key known. */
  readonly sshConfig: string
  /** What the CLI runs with: a home and a log of its own. */
  readonly env: NodeJS.ProcessEnv
  readonly dispose: () => Promise<void>
}

/** Starts so many servers, each a process with a port and a host key of its own. The first has these services. */
export const startFarm = async (
  count: number,
  services: ReadonlyArray<Omit<ServiceInput, "serverId" | "server">> = [],
): Promise<Farm> => {
  const directory = mkdtempSync(join(tmpdir(), "context-farm-"))
  const first = await startSshd()
  const sshds = [first]
  while (sshds.length < count) sshds.push(await startSshd({ clientKey: first.keyPath }))
  const names = sshds.map((_, i) => `web-${String(i).padStart(2, "0")}`)
  const env = {
    ...process.env,
    HOME: directory,
    XDG_CACHE_HOME: undefined,
    SSH_AUTH_SOCK: undefined,
    CONTEXT_DB: join(directory, "infra.db"),
  }
  await register(env.CONTEXT_DB, names, sshds, services)
  return {
    directory,
    names,
    sshds,
    sshConfig: writeConfig(directory, names, sshds),
    env,
    dispose: async () => {
      await Promise.all(sshds.map((sshd) => sshd.dispose()))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

const register = (
  db: string,
  names: ReadonlyArray<string>,
  sshds: ReadonlyArray<Sshd>,
  services: ReadonlyArray<Omit<ServiceInput, "serverId" | "server">>,
) =>
  Effect.gen(function* () {
    for (const [i, sshd] of sshds.entries()) yield* addTrusted(names[i] as string, sshd)
    for (const service of services) yield* (yield* Registry).services.add({ server: names[0] as string, ...service })
  }).pipe(Effect.provide(Layer.provideMerge(Registry.layer, layer(db))), Effect.runPromise)

const writeConfig = (directory: string, names: ReadonlyArray<string>, sshds: ReadonlyArray<Sshd>): string => {
  const path = join(directory, "ssh_config")
  const known = join(directory, "known_hosts")
  writeFileSync(
    known,
    sshds.map(({ hostKey, host, port }) => `[${host}]:${port} ${hostKey.algorithm} ${hostKey.key}\n`).join(""),
  )
  const hosts = sshds.map(
    ({ host, keyPath, port, user }, i) =>
      `Host ${names[i]}\n  HostName ${host}\n  Port ${port}\n  User ${user}\n  IdentityFile ${keyPath}\n`,
  )
  const all = `Host *\n  IdentitiesOnly yes\n  UserKnownHostsFile ${known}\n  StrictHostKeyChecking yes\n`
  writeFileSync(path, `${hosts.join("")}${all}`)
  return path
}
