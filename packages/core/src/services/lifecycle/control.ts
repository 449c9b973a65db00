/** How a service is restarted, stopped and started: its own command, or the words of what runs it. */
import type { LifecycleAction } from "../../domain/Service.js"
import type { RemoteCommand } from "../../Remote.js"
import type { ServiceRow } from "../../views/services.js"
import { nameThere } from "../logs/source.js"

/** What is run for it, and what people call that. */
export interface Control {
  readonly what: string
  readonly command: Pick<RemoteCommand, "script" | "args" | "env" | "cwd">
}

type Manager = "systemd" | "docker" | "podman" | "pm2"

/** Goes by what is registered: the restart command, else the runtime. `undefined` where the host has to be asked. */
export const registeredControl = (service: ServiceRow, action: LifecycleAction): Control | undefined => {
  const { deploySettings, name, projectPath, restartCommand, runtime } = service
  if (action === "restart" && restartCommand !== null) {
    const cwd = deploySettings?.directory ?? projectPath
    return {
      what: "the restart command",
      command: { script: restartCommand, env: { CONTEXT_SERVICE: name }, ...(cwd === null ? {} : { cwd }) },
    }
  }
  return isManager(runtime) ? controlBy(runtime, service, action) : undefined
}

/** The same, going by the host's answer to `detect`. */
export const detectedControl = (service: ServiceRow, action: LifecycleAction, answer: string): Control | undefined => {
  const words = answer.split("\n").map((line) => line.trim().replace("journal", "systemd"))
  const manager = (["systemd", "docker", "podman", "pm2"] as const).find((known) => words.includes(known))
  return manager && controlBy(manager, service, action)
}

const isManager = (runtime: string | null): runtime is Manager =>
  runtime === "systemd" || runtime === "docker" || runtime === "podman" || runtime === "pm2"

const controlBy = (manager: Manager, service: ServiceRow, action: LifecycleAction): Control => {
  switch (manager) {
    case "systemd": {
      const args = [action, nameThere(service, "unit")]
      return { what: "systemctl", command: { script: 'exec systemctl --no-ask-password "$1" -- "$2"', args } }
    }
    case "pm2": {
      return { what: "pm2", command: { script: pm2, args: [action, nameThere(service, "pm2")] } }
    }
    default: {
      const args = [manager, action, nameThere(service, "container")]
      return { what: manager, command: { script: 'exec "$1" "$2" -- "$3"', args } }
    }
  }
}

/** What follows a `--` pm2 would hand to the process. It takes one name for every process there is. */
const pm2 = `
[ "$2" != all ] || { echo 'pm2 takes "all" for every process; give this one another name there' >&2; exit 2; }
exec pm2 "$1" "$2"
`
