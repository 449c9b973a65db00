/** The options that set a service's fields, for `add` and `update`. */
import type { ServiceType } from "@context-engine/core/domain/Service"
import { change, changeList, choiceOrNone, given, integerOrNone, jsonObject, many, text } from "../../options.js"
import { settingOptions } from "./settings.js"

const types = ["app", "database", "cache", "queue", "proxy"] as const satisfies ReadonlyArray<ServiceType>

export const fieldOptions = {
  type: choiceOrNone("type", types, "What it is"),
  runtime: text("runtime", "name", "What runs it: bun, node, go, docker, systemd, …"),
  port: integerOrNone("port", "The port it listens on"),
  health: text("health", "path", "Where it says whether it is well: /health, or a whole URL"),
  project: text("project", "path", "Where its files are on the server"),
  repo: text("repo", "url", "Its git repository"),
  deploy: text("deploy", "command", "What deploys it; $CONTEXT_VERSION is the wanted version"),
  ...settingOptions,
  restart: text("restart", "command", "What restarts it"),
  log: text("log", "path", "Where it writes its log on the server"),
  env: many("env", "NAME", "An environment variable it reads: its name only. May be given several times"),
  config: jsonObject("config", "Settings as a JSON object"),
  notes: text("notes", "text", "Anything worth knowing"),
}

interface Fields {
  readonly type: ServiceType | null | undefined
  readonly runtime: string | undefined
  readonly port: number | null | undefined
  readonly health: string | undefined
  readonly project: string | undefined
  readonly repo: string | undefined
  readonly deploy: string | undefined
  readonly restart: string | undefined
  readonly log: string | undefined
  readonly env: ReadonlyArray<string>
  readonly config: Record<string, unknown> | null | undefined
  readonly notes: string | undefined
}

/** The fields that the options set. */
export const fieldsOf = (options: Fields) =>
  given({
    type: options.type,
    runtime: change(options.runtime),
    port: options.port,
    healthEndpoint: change(options.health),
    projectPath: change(options.project),
    gitRepo: change(options.repo),
    deployCommand: change(options.deploy),
    restartCommand: change(options.restart),
    logPath: change(options.log),
    envVars: changeList(options.env),
    config: options.config,
    notes: change(options.notes),
  })
