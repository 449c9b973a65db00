/** Processes that pm2 keeps, from `pm2 jlist`. It prints their whole environments: only these fields are looked at. Pure. */
import type { Pm2Process } from "../types.js"
import { count, path, pid, port, token, word } from "../words.js"
import { asObject, type JsonObject, objectsIn } from "./json.js"

/** Reads what is left of `pm2 jlist` once cut on the host, and the uncut output as well. Greetings before it are skipped. */
export const parsePm2 = (text: string): ReadonlyArray<Pm2Process> =>
  objectsIn(text).flatMap((one) => pm2Process(one) ?? [])

const pm2Process = (one: JsonObject): Pm2Process | undefined => {
  const env = asObject(one.pm2_env)
  const name = word(one.name ?? env.name, 100)
  if (name === undefined) return undefined
  return {
    name,
    id: count(one.pm_id ?? env.pm_id),
    pid: pid(one.pid),
    status: token(one.status ?? env.status, 30),
    script: path(one.script ?? env.pm_exec_path),
    directory: path(one.cwd ?? env.pm_cwd),
    interpreter: token(one.interpreter ?? env.exec_interpreter),
    version: token(one.version ?? env.version, 60),
    port: port(one.port ?? env.PORT ?? asObject(env.env).PORT),
  }
}
