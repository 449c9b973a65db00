/** Lines of crontabs: when, and which program. Its arguments and the variables set above it are dropped. Pure; never throws. */
import type { CronJob } from "../types.js"
import { path, token, word } from "../words.js"

const most = 2_000

export const parseCron = (text: string): ReadonlyArray<CronJob> => {
  const jobs: Array<CronJob> = []
  let file: string | undefined
  for (const raw of text.split("\n")) {
    const line = raw.trim().slice(0, 2_000)
    const heading = /^# crontab file (\/\S+)$/.exec(line)
    if (heading !== null) file = path(heading[1])
    else {
      const job = jobOf(line, file)
      if (job !== undefined && jobs.length < most) jobs.push(job)
    }
  }
  return jobs
}

const field = "[\\d*/,\\-A-Za-z#?LW]+"
const times = new RegExp(`^(@\\w+|${field}(?:\\s+${field}){4})\\s+(.*)$`)

const jobOf = (line: string, file: string | undefined): CronJob | undefined => {
  if (line === "" || line.startsWith("#") || /^[A-Za-z_]\w*\s*=/.test(line)) return undefined
  const found = times.exec(line)
  const schedule = word(found?.[1], 60)
  // The files of the system have one word more: who runs it.
  const [, user, command = ""] =
    file === undefined ? ["", undefined, found?.[2]] : (/^(\S+)\s+(.*)$/.exec(found?.[2] ?? "") ?? [])
  const program = programOf(command)
  if (schedule === undefined || program === undefined) return undefined
  const directory = path(/^cd\s+(\/[\w./@-]+)\s*(?:&&|;)/.exec(command)?.[1])
  return { schedule, file, user: token(user, 60), program, directory }
}

const shells = new Set([
  "sh",
  "bash",
  "env",
  "nice",
  "ionice",
  "timeout",
  "flock",
  "sudo",
  "nohup",
  "exec",
  "cd",
  "test",
  "[",
  "if",
  "then",
])

/** The first word of the command that says what runs: not the shell, nor the words around it. */
const programOf = (command: string): string | undefined => {
  const words = command
    // What comes before it only says where, or whether.
    .replace(/^(?:cd|test|\[)\s[^&|;]*(?:&&|\|\||;)\s*/, "")
    .replace(/\bflock\s+(?:-\S+\s+)*\S+\s/, "")
    .split(/\s+/)
    .slice(0, 30)
    .filter((one) => /^[\w./@+-]+$/.test(one) && !one.startsWith("-") && !/^\d+[smh]?$/.test(one))
  const known = words.filter((one) => !shells.has(one.slice(one.lastIndexOf("/") + 1)))
  const interpreter = /^(?:.*\/)?(?:node|bun|deno|python[\d.]*|ruby|perl|php)$/
  const script = interpreter.test(known[0] ?? "")
    ? known.find((one) => /[./]/.test(one) && !interpreter.test(one))
    : undefined
  return token(script ?? known[0])
}
