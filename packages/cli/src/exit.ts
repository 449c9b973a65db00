/** From what went wrong to what is said about it and the exit status. Loaded only when something did. */
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import { safe, safeLines } from "./render/safe.js"
import { wrap } from "./render/text.js"

export interface Ending {
  /** 1 refused, failed or unwell · 2 usage · 70 our bug · 130 interrupted. */
  readonly status: number
  /** What to say on standard error; empty for nothing. */
  readonly text: string
}

interface Failure {
  readonly _tag?: string
  readonly message?: string
  readonly [field: string]: unknown
}

/** How a command that did not succeed ends, in so many columns. */
export const ending = (cause: Cause.Cause<unknown>, columns = Number.POSITIVE_INFINITY): Ending => {
  if (Cause.isInterruptedOnly(cause)) return { status: 130, text: "" }
  const failure = Option.getOrUndefined(Cause.failureOption(cause)) as Failure | undefined
  if (failure === undefined || typeof failure !== "object" || typeof failure._tag !== "string") return bug(cause)
  if (failure._tag === "ExitStatus") return { status: Number(failure.status), text: "" }
  if (failure._tag === "Detached") return { status: 130, text: listOf(failure.lines).join("\n") }
  const next = nextStep(failure)
  const said = [
    wrap(`error: ${safe(describe(failure))}`, columns - 2).join("\n  "),
    ...listOf(failure.shown).map((line) => `  │ ${line}`.trimEnd()),
    ...(next === undefined ? [] : [`  ${wrap(safe(next), columns - 2).join("\n  ")}`]),
  ].join("\n")
  // A file that cannot be used is no slip of whoever gave the command.
  const isUsage = failure._tag === "UsageError" || (failure._tag === "InvalidInput" && !isFile(String(failure.field)))
  const status = isUsage ? 2 : 1
  return { status, text: said }
}

/** Lines that somebody else may have written. */
const listOf = (lines: unknown): ReadonlyArray<string> => (Array.isArray(lines) ? lines.map(String).map(safe) : [])

const bug = (cause: Cause.Cause<unknown>): Ending => {
  const [defect] = [...Cause.defects(cause), Cause.squash(cause)]
  const what = defect instanceof Error ? `${defect.name}: ${defect.message}` : String(defect)
  const [line = ""] = safeLines(what).split("\n")
  const text =
    process.env.CONTEXT_DEBUG === "1"
      ? safeLines(Cause.pretty(cause, { renderErrorCause: true }))
      : `bug in context: ${line}\n  run it again with CONTEXT_DEBUG=1 and report what it prints, with the command`
  return { status: 70, text }
}

/** The options that set a field of the domain, where they are not called the same. */
const flags: Record<string, string> = {
  id: "the event",
  ipAddresses: "--ip",
  sshConfig: "--ssh",
  tags: "--tag",
  healthEndpoint: "--health",
  projectPath: "--project",
  deployCommand: "--deploy",
  restartCommand: "--restart",
  logPath: "--log",
  gitRepo: "--repo",
  envVars: "--env",
  connectionStringEnv: "--env",
  dependsOnExternal: "--external",
  proxyType: "--proxy",
  rateLimit: "--rate-limit",
  authRequired: "--auth",
  secretManager: "--manager",
  rotationPolicy: "--rotate",
  domain: "the domain",
  name: "the name",
  to: "<to>",
  url: "<url>",
  from: "<from>",
  moment: "--to",
  expiresAt: "--expires",
  "resources.cpu": "--cpu",
  "resources.ram": "--ram",
  "resources.disk": "--disk",
  "deploySettings.pre": "--pre",
  "deploySettings.post": "--post",
  "deploySettings.env": "--deploy-env",
  "deploySettings.directory": "--deploy-dir",
  "deploySettings.timeout": "--deploy-timeout",
  "deploySettings.healthTimeout": "--health-timeout",
  "deploySettings.healthCount": "--health-count",
}

const describe = (failure: Failure): string => {
  if (failure._tag !== "InvalidInput") return failure.message ?? String(failure._tag)
  const path = String(failure.field)
  const [field = "", part = ""] = path.split(".")
  const reason = String(failure.reason)
  if (field === "") return reason
  // Settings of the environment and files are called what they are.
  if (/^[A-Z]/.test(path) || isFile(path)) return `${path} ${reason}`
  return `${flags[`${field}.${part}`] ?? flags[field] ?? `--${kebab(field)}`} ${reason}`
}

const isFile = (field: string): boolean => /[/\\]/.test(field)

/** `knownAt` as the option is written: `known-at`. */
const kebab = (field: string): string => field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

const lists: Record<string, string> = {
  server: "context infra server list",
  service: "context infra service list",
  route: "context infra route list",
  dependency: "context infra dep list",
  secret: "context infra secret list",
  event: "context infra events",
  deployment: "context infra history <service>",
  machine: "context infra machine list",
  invite: "context infra machine list",
  root: "context infra machine list",
}

/** What to do next, where the message does not say it already. */
const nextStep = (failure: Failure): string | undefined => {
  const entity = String(failure.entity)
  switch (failure._tag) {
    case "UsageError":
      return `see ${failure.see}`
    case "NotFound":
      return lists[entity] && `see ${lists[entity]}`
    case "Ambiguous":
      return entity === "route" ? "say which with --path or --method" : undefined
    case "AlreadyExists":
      return "choose another name, or change what there is with update"
    case "InUse":
      return inUseStep(failure.by as ReadonlyArray<string>)
    default:
      return typeof failure.next === "string" ? failure.next : undefined
  }
}

/** Who jumps through a server is not removed with it. */
const inUseStep = (by: ReadonlyArray<string>): string =>
  by.some((user) => user.endsWith("jumps through it"))
    ? 'those that jump through it need another way first: context infra server update <server> --ssh "jump=<other>"'
    : "remove those first, or all together with --cascade"
